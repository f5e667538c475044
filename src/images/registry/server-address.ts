import { Fault } from "#core/fault";

/** The registry that a login means, as in references: `localhost:5000`, `https://reg.example/v2/`, nothing for Docker Hub (also by its old index address). Fault `invalid` for what is no address. */
export function registryOf(serverAddress: string | undefined): string {
  const text = (serverAddress ?? "").trim();
  if (text === "") return hub;
  const address = /^https?:\/\//i.test(text) ? text : `https://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.host === "" || url.username !== "" || url.password !== "") {
    throw new Fault("invalid", `unable to parse server address: ${JSON.stringify(text.slice(0, 200))}`, {
      remedy: "Write it as host or host:port.",
    });
  }
  return hubHosts.has(url.host) ? hub : (hostAsWritten(text) ?? url.host);
}

const hub = "docker.io";
const hubHosts: ReadonlySet<string> = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/** URL drops a scheme's own port, which names another way to a registry that is spoken to without TLS. */
function hostAsWritten(text: string): string | undefined {
  return /^(?:https?:\/\/)?([^/?#]+:\d+)/i.exec(text)?.[1]?.toLowerCase();
}
