import assert from "node:assert/strict";
import { test } from "node:test";
import { goDuration, humanDuration, parseDuration } from "./duration.ts";
import { ellipsis } from "./ellipsis.ts";
import { displayPorts } from "./ports.ts";
import { Display } from "./progress.ts";
import { renderRows, type RowFormat } from "./rows.ts";
import { shaped } from "./shape.ts";
import { binarySize, humanSize, parseSize } from "./size.ts";
import { alignTabs } from "./tabwriter.ts";
import { compileTemplate } from "../template/template.ts";

test("humanSize: thousands with significant digits, as Docker's lists", () => {
  const sizes: [number, number, string][] = [
    [0, 4, "0B"],
    [999, 3, "999B"],
    [1000, 3, "1kB"],
    [4_261_234, 3, "4.26MB"],
    [187_654_321, 3, "188MB"],
    [187_654_321, 4, "187.7MB"],
    [1_000_000_000, 4, "1GB"],
    [999_999, 3, "1e+03kB"],
  ];
  for (const [bytes, digits, text] of sizes) assert.equal(humanSize(bytes, digits), text);
  assert.equal(binarySize(25_254_629_376), "23.52GiB");
});

test("parseSize: powers of 1024", () => {
  const texts: [string, number][] = [
    ["32", 32],
    ["32b", 32],
    ["1k", 1024],
    ["64m", 67_108_864],
    ["1.5G", 1_610_612_736],
    ["2GiB", 2_147_483_648],
    ["1 kb", 1024],
  ];
  for (const [text, bytes] of texts) assert.equal(parseSize(text), bytes, text);
  for (const text of ["", "m", "-1", "1x", "1mm", "0x10"])
    assert.throws(() => parseSize(text), /invalid (size|suffix)/, text);
});

test("humanDuration: Docker's words", () => {
  const second = 1000;
  const hour = 3600 * second;
  const day = 24 * hour;
  const spans: [number, string][] = [
    [500, "Less than a second"],
    [second, "1 second"],
    [59 * second, "59 seconds"],
    [60 * second, "About a minute"],
    [120 * second, "2 minutes"],
    [59 * 60 * second, "59 minutes"],
    [hour, "About an hour"],
    [47 * hour, "47 hours"],
    [3 * day, "3 days"],
    [20 * day, "2 weeks"],
    [90 * day, "3 months"],
    [3 * 365 * day, "3 years"],
  ];
  for (const [milliseconds, text] of spans) assert.equal(humanDuration(milliseconds), text);
});

test("parseDuration and goDuration: Go's durations", () => {
  assert.equal(parseDuration("1h30m"), 5_400_000_000_000);
  assert.equal(parseDuration("-1.5s"), -1_500_000_000);
  assert.throws(() => parseDuration("5"), /missing unit/);
  assert.throws(() => parseDuration("x"), /invalid duration/);
  for (const text of ["0s", "1.5s", "1m30s", "2h0m0.5s", "3ms"]) assert.equal(goDuration(parseDuration(text)), text);
});

test("alignTabs: a column ends where a line has no cell in it", () => {
  assert.equal(
    alignTabs("A\tB\tC\naaaaaaaaaaaaaaa\tb\tc\n"),
    "A                 B         C\naaaaaaaaaaaaaaa   b         c\n",
  );
  assert.equal(alignTabs("a\tb\nno cells\ncc\td\n"), "a         b\nno cells\ncc        d\n");
});

test("ellipsis: counts characters, not bytes", () => {
  assert.equal(ellipsis("abcdef", 4), "abc…");
  assert.equal(ellipsis("äöü", 3), "äöü");
});

test("displayPorts: neighbours join, mapped ports come last", () => {
  const port = (PrivatePort: number, PublicPort?: number, IP?: string, Type = "tcp") => ({
    PrivatePort,
    Type,
    ...(PublicPort !== undefined && { PublicPort }),
    ...(IP !== undefined && { IP }),
  });
  assert.equal(
    displayPorts([
      port(80, 8080, "0.0.0.0"),
      port(80, 8080, "::"),
      port(444),
      port(443),
      port(90, 90, "127.0.0.1", "udp"),
      port(91, 91, "127.0.0.1", "udp"),
    ]),
    "127.0.0.1:90-91->90-91/udp, 443-444/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
  );
  assert.equal(displayPorts([]), "");
});

const things: RowFormat = {
  goType: "*formatter.Thing",
  headers: { ID: "THING ID", Name: "NAME" },
  table: "{{.ID}}\t{{.Name}}",
  quietField: "ID",
};
const rows = [
  { fields: { ID: () => "1", Name: () => "<a>" }, methods: { Label: (name: unknown) => `label ${String(name)}` } },
];

test("renderRows: table, quiet, json, templates", () => {
  assert.equal(renderRows(things, rows), "THING ID   NAME\n1          <a>\n");
  assert.equal(renderRows(things, [], {}), "THING ID   NAME\n");
  assert.equal(renderRows(things, rows, { quiet: true }), "1\n");
  assert.equal(renderRows(things, rows, { format: "json" }), '{"ID":"1","Name":"<a>"}\n');
  assert.equal(
    renderRows(things, rows, { format: String.raw`table {{.Name}}\t{{upper .ID}}\t{{.Label "com.x.my-key"}}` }),
    "NAME      THING ID   my key\n<a>       1          label com.x.my-key\n",
  );
  assert.equal(renderRows(things, rows, { format: '{{.ID}}={{.Label "x"}}', quiet: true }), "1=label x\n");
  assert.throws(() => renderRows(things, rows, { format: "{{.Zork}}" }), {
    message: `failed to execute template: template: :1:2: executing "" at <.Zork>: can't evaluate field Zork in type *formatter.Thing`,
  });
  assert.throws(
    () => renderRows(things, rows, { format: "{{.ID" }),
    /^Error: failed to parse template: template: :1: unclosed action/,
  );
});

test("shaped: what inspect leaves out is empty in templates, and stays out of JSON", () => {
  const container = {
    State: { Status: "running" },
    Config: { Labels: { a: "1" }, Cmd: null },
    NetworkSettings: { Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }], "81/tcp": null } },
  };
  const render = (template: string): string => compileTemplate(template).render(shaped("container", container));
  assert.equal(render("{{if .State.Health}}has{{else}}none{{end}} {{.State.Health}}"), "none <nil>");
  assert.equal(render("{{.Config.Labels.absent}} {{.Config.Volumes}} {{.Config.Cmd}}"), "<no value> map[] []");
  assert.equal(
    render('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostIP}}'),
    "0.0.0.0",
    "Go's name of HostIp",
  );
  assert.equal(render("{{json .Config}}"), '{"Labels":{"a":"1"},"Cmd":null}');
  assert.equal(render("{{.NetworkSettings.Ports}}"), "map[80/tcp:[{0.0.0.0 8080}] 81/tcp:[]]");
  assert.throws(() => render("{{.Zork}}"), /map has no entry for key "Zork"/);
});

test("Display: lines without a terminal, rewritten ones on it", () => {
  const loading = { id: "abc", status: "Downloading", progressDetail: { current: 5, total: 10 } };
  const plain = new Display(undefined);
  assert.equal(plain.render(loading), "", "bars are for terminals");
  assert.equal(plain.render({ id: "abc", status: "Pull complete", progressDetail: {} }), "abc: Pull complete\n");
  assert.equal(plain.render({ stream: "Loaded image: a\n" }), "Loaded image: a\n");
  const terminal = new Display(80);
  assert.equal(terminal.render({ id: "abc", status: "Waiting", progressDetail: {} }), "abc: Waiting\n");
  assert.equal(terminal.render({ id: "def", status: "Waiting", progressDetail: {} }), "def: Waiting\n");
  const line = "abc: Downloading [==========>          ]        5B/10B";
  assert.equal(terminal.render(loading), `\x1b[2A\x1b[2K\r${line}\r\x1b[2B`);
});
