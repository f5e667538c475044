import assert from "node:assert/strict";
import { test } from "node:test";
import * as flag from "./flag.ts";
import { FlagError, parseFlags } from "./parse.ts";

const table = {
  detach: flag.toggle("", { short: "d" }),
  env: flag.list("", { short: "e" }),
  interactive: flag.toggle("", { short: "i" }),
  memory: flag.bytes("", { short: "m" }),
  name: flag.text(""),
  "pids-limit": flag.integer(""),
  publish: flag.list("", { short: "p" }),
  "sig-proxy": flag.toggle("", { initial: true }),
  tty: flag.toggle("", { short: "t" }),
};

function parse(...argv: string[]) {
  return parseFlags(table, argv, false);
}

function refusal(...argv: string[]): string {
  try {
    parse(...argv);
  } catch (error) {
    assert.ok(error instanceof FlagError);
    return error.message;
  }
  return "";
}

test("parseFlags: all spellings of a value", () => {
  for (const argv of [["-p", "80:80"], ["-p80:80"], ["-p=80:80"], ["--publish", "80:80"], ["--publish=80:80"]]) {
    assert.deepEqual(parse(...argv).values.publish, ["80:80"], argv.join(" "));
  }
  assert.equal(parse("--name=").values.name, "");
  assert.equal(parse("--name", "--odd").values.name, "--odd", "a value may look like a flag");
  assert.deepEqual(parse("-e", "A=1", "-e", "B=x=y").values.env, ["A=1", "B=x=y"]);
});

test("parseFlags: switches, joined and with a value", () => {
  const { values, changed } = parse("-it", "--sig-proxy=false", "-d=true");
  assert.deepEqual([values.interactive, values.tty, values["sig-proxy"], values.detach], [true, true, false, true]);
  assert.deepEqual([...changed].sort(), ["detach", "interactive", "sig-proxy", "tty"]);
  assert.deepEqual(parse("-dp80").values.publish, ["80"], "the last of joined letters may take a value");
});

test("parseFlags: the first argument ends the flags where they may not mix", () => {
  assert.deepEqual(parse("-d", "image", "-t", "--name", "x").args, ["image", "-t", "--name", "x"]);
  assert.deepEqual(parse("--", "-d").args, ["-d"]);
  const mixed = parseFlags(table, ["a", "-d", "b", "--", "-t", "-"], true);
  assert.deepEqual(mixed.args, ["a", "b", "-t", "-"]);
  assert.equal(mixed.values.detach, true);
});

test("parseFlags: refusals have pflag's words", () => {
  assert.equal(refusal("--zork"), "unknown flag: --zork");
  assert.equal(refusal("-z"), "unknown shorthand flag: 'z' in -z");
  assert.equal(refusal("-iz"), "unknown shorthand flag: 'z' in -z");
  assert.equal(refusal("--name"), "flag needs an argument: --name");
  assert.equal(refusal("-p"), "flag needs an argument: 'p' in -p");
  assert.equal(refusal("--=x"), "bad flag syntax: --=x");
  assert.equal(refusal("-m", "abc"), `invalid argument "abc" for "-m, --memory" flag: invalid size: 'abc'`);
  assert.equal(
    refusal("--tty=maybe"),
    'invalid argument "maybe" for "-t, --tty" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
  );
  assert.equal(
    refusal("--pids-limit", "x"),
    'invalid argument "x" for "--pids-limit" flag: strconv.ParseInt: parsing "x": invalid syntax',
  );
});

test("parseFlags: help is asked for by --help and by -h where no flag has that letter", () => {
  assert.equal(parse("--help").help, true);
  assert.equal(parse("-h").help, true);
  assert.equal(parseFlags({ hostname: flag.text("", { short: "h" }) }, ["-h", "box"], false).values.hostname, "box");
});

test("parseFlags: names of Object's own are no flags", () => {
  assert.equal(refusal("--constructor"), "unknown flag: --constructor");
  assert.equal(refusal("--__proto__=1"), "unknown flag: --__proto__");
});

test("cpus: decimals become billionths, exactly", () => {
  assert.equal(flag.cpus("").parse("1.5", 0, false), 1_500_000_000);
  assert.equal(flag.cpus("").parse("0.000000001", 0, false), 1);
  assert.throws(() => flag.cpus("").parse("0.0000000001", 0, false), /too precise/);
  assert.throws(() => flag.cpus("").parse("x", 0, false), /rational number/);
});
