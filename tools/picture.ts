/** Makes docs/terminal.svg from a real run: starts a private daemon, runs the commands on a terminal, draws what came out. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "../test/fixtures/program.ts";
import { slipwayProgram, startDaemon, type TestDaemon } from "../test/fixtures/daemon.ts";
import { freePort } from "../test/fixtures/registry.ts";

/** `shown` is what the picture says, `command` what runs (where they differ), `lines` how much of the output it keeps. */
interface Scene {
  readonly shown: string;
  readonly command?: string;
  readonly lines?: number;
}

const columns = 112;
const port = await freePort();
const scenes: readonly Scene[] = [
  { shown: "slipway run --rm hello", lines: 14 },
  {
    shown: "slipway run -d --name web -p 8080:80 hello web",
    command: `slipway run -d --name web -p ${port}:80 hello web`,
  },
  { shown: "slipway ps", command: "sleep 1; slipway ps" },
  { shown: "curl -sI http://localhost:8080 | head -n 1", command: `curl -sI http://localhost:${port} | head -n 1` },
  { shown: "slipway rm -f web" },
];

const lines: string[] = [];
await using daemon = await startDaemon();
for (const { shown, command = shown, lines: limit = 10 } of scenes) {
  lines.push(`\u001b[1m$ ${shown}\u001b[0m`);
  const output = (await onTerminal(daemon, command))
    .replaceAll(`${port}->80/tcp`, "8080->80/tcp ") // as wide as it was: the columns stay in line
    .replaceAll(String(port), "8080");
  const kept = output.trim().split(/\r?\n/).slice(0, limit);
  while (kept.at(-1)?.trim() === "") kept.pop();
  lines.push(...kept, "");
}
const path = join(import.meta.dirname, "../docs/terminal.svg");
await writeFile(path, draw(lines.slice(0, -1)));
console.log(`drew ${lines.length} lines into ${path}`);

async function onTerminal({ socket }: TestDaemon, command: string): Promise<string> {
  const define = `stty cols ${columns}; slipway() { ${slipwayProgram.map((word) => `'${word}'`).join(" ")} "$@"; }`;
  const env = { SLIPWAY_HOST: `unix://${socket}`, TERM: "xterm-256color" };
  const { code, stdout, stderr } = await runProgram("script", ["-qec", `${define}; ${command}`, "/dev/null"], { env });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

function draw(text: readonly string[]): string {
  const [cell, row, margin, bar] = [7.85, 19, 18, 34];
  const [width, height] = [Math.ceil(columns * cell + 2 * margin), Math.ceil(text.length * row + 2 * margin + bar)];
  const rows = text.map((line, index) => {
    const y = bar + margin + (index + 0.72) * row;
    return `<text x="${margin}" y="${y.toFixed(1)}" xml:space="preserve">${styled(line)}</text>`;
  });
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map(
    (fill, index) => `<circle cx="${margin + 6 + index * 20}" cy="17" r="6" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Slipway on a terminal">
<rect width="100%" height="100%" rx="9" fill="#101a20"/>
${dots.join("\n")}
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="13" fill="#d5e1e6">
${rows.join("\n")}
</g>
</svg>
`;
}

/** Bold becomes bright; every other sequence of the terminal is left out. */
function styled(line: string): string {
  const parts = line.slice(0, columns + 40).split(/(\u001b\[[0-9;?]*[A-Za-z])/);
  let bold = false;
  let drawn = "";
  for (const part of parts) {
    if (part.startsWith("\u001b[")) {
      if (part.endsWith("m")) bold = /^\u001b\[(.*;)?1m$/.test(part);
      continue;
    }
    const text = part
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll(/[\u0000-\u001f]/g, "");
    if (text !== "") drawn += bold ? `<tspan font-weight="700" fill="#7fd4ea">${text}</tspan>` : text;
  }
  return drawn;
}
