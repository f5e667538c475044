import assert from "node:assert/strict";
import { test } from "node:test";
import type { Warning } from "../dockerfile.ts";
import { parseDockerfile } from "../parse.ts";
import { lint, lintFault, type LintFacts } from "./lint.ts";
import { rules } from "./rules.ts";

const platformArgs = { TARGETPLATFORM: "linux/amd64", BUILDPLATFORM: "linux/amd64", TARGETARCH: "amd64" };

function found(text: string, facts: Partial<LintFacts> = {}): Warning[] {
  const { dockerfile, warnings } = parseDockerfile(text);
  const baseOf = (): { env: string[]; hasShell: boolean } => ({ env: ["PATH=/bin", "LANG=C"], hasShell: false });
  return lint(dockerfile, { warnings, args: {}, platformArgs, baseOf, skip: [], ...facts });
}

/** `3 RuleName: message` of each finding. */
function told(text: string, facts: Partial<LintFacts> = {}): string[] {
  return found(text, facts).map(({ rule, message, span }) => `${span?.start.line ?? 0} ${rule}: ${message}`);
}

const cases: Readonly<
  Record<string, readonly { text: string; facts?: Partial<LintFacts>; findings: readonly string[] }[]>
> = {
  StageNameCasing: [
    { text: "FROM a AS Base", findings: ["1 StageNameCasing: Stage name 'Base' should be lowercase"] },
    { text: "FROM a AS base", findings: [] },
  ],
  FromAsCasing: [
    { text: "FROM a as b", findings: ["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"] },
    { text: "from a AS b", findings: ["1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"] },
    { text: "from a as b", findings: [] },
    { text: "FROM as AS as", findings: [] },
  ],
  NoEmptyContinuation: [
    { text: "FROM a\nCOPY x \\\n\n y", findings: ["3 NoEmptyContinuation: Empty continuation line"] },
    { text: "FROM a\nCOPY x \\\n# comment\n y", findings: [] },
  ],
  ConsistentInstructionCasing: [
    {
      text: "FROM a\ncopy a b\nCOPY c d\nRun x",
      findings: [
        "2 ConsistentInstructionCasing: Command 'copy' should match the case of the command majority (uppercase)",
        "4 ConsistentInstructionCasing: Command 'Run' should match the case of the command majority (uppercase)",
      ],
    },
    {
      text: "from a\ncopy a b\nRUN x",
      findings: [
        "3 ConsistentInstructionCasing: Command 'RUN' should match the case of the command majority (lowercase)",
      ],
    },
    { text: "from a\nrun x", findings: [] },
  ],
  DuplicateStageName: [
    {
      text: "FROM a AS b\nFROM a AS b",
      findings: ['2 DuplicateStageName: Duplicate stage name "b", stage names should be unique'],
    },
  ],
  ReservedStageName: [
    {
      text: "FROM a AS scratch\nFROM a AS context",
      findings: [
        '1 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"',
        '2 ReservedStageName: Stage name should not use the same name as reserved stage "context"',
      ],
    },
  ],
  JSONArgsRecommended: [
    {
      text: 'FROM a\nENTRYPOINT x\nFROM a\nCMD ["broken"\nFROM a\nCMD ["x"]',
      findings: [
        "2 JSONArgsRecommended: JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals",
        "4 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
      ],
    },
    { text: 'FROM a AS b\nSHELL ["/bin/bash"]\nCMD x\nFROM b\nCMD y', findings: [] },
    { text: "FROM a\nCMD x", facts: { baseOf: () => ({ env: [], hasShell: true }) }, findings: [] },
  ],
  MaintainerDeprecated: [
    {
      text: "FROM a\nMAINTAINER x",
      findings: ["2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"],
    },
  ],
  UndefinedArgInFrom: [
    {
      text: "ARG VERSION=1\nFROM a:${VERSON}b\nFROM --platform=$BULDPLATFORM a\nFROM a${OTHER:-x}",
      findings: [
        "2 UndefinedArgInFrom: FROM argument 'VERSON' is not declared (did you mean VERSION?)",
        "3 UndefinedArgInFrom: FROM argument 'BULDPLATFORM' is not declared (did you mean BUILDPLATFORM?)",
      ],
    },
    { text: "ARG A=a B\nFROM $A$B", findings: [] },
  ],
  InvalidDefaultArgInFrom: [
    {
      text: "ARG TAG\nARG NAME=\nFROM a:$TAG\nFROM $NAME",
      facts: { args: { TAG: "1", NAME: "b" } },
      findings: [
        "3 InvalidDefaultArgInFrom: Default value for ARG a:$TAG results in empty or invalid base image name",
        "4 InvalidDefaultArgInFrom: Default value for ARG $NAME results in empty or invalid base image name",
      ],
    },
    { text: "ARG TAG=1\nFROM a:$TAG AS b\nFROM b\nFROM scratch", findings: [] },
  ],
  FromPlatformFlagConstDisallowed: [
    {
      text: "FROM --platform=linux/arm64 a\nFROM --platform=linux/arm64 a AS for_arm64\nFROM --platform=$BUILDPLATFORM a",
      findings: ['1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/arm64"'],
    },
  ],
  RedundantTargetPlatform: [
    {
      text: "FROM --platform=${TARGETPLATFORM} a\nFROM --platform=linux/$TARGETARCH b",
      findings: [
        "1 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior",
      ],
    },
  ],
  WorkdirRelativePath: [
    {
      text: "FROM a AS b\nWORKDIR app\nWORKDIR more\nFROM b\nWORKDIR x\nFROM a\nWORKDIR /a\nWORKDIR b",
      findings: ['2 WorkdirRelativePath: Relative workdir "app" can have unexpected results if the base image changes'],
    },
    { text: "FROM a\nARG DIR=/x\nWORKDIR $DIR\nFROM a\nARG OTHER\nWORKDIR $OTHER", findings: [] },
  ],
  UndefinedVar: [
    {
      text: "FROM a\nENV NAME=x\nCOPY $NAEM /x\nLABEL a=$ONE b=${TWO:-x} c=${NAME:+$THREE}\nCOPY <<E $LANG\n$FOUR\nE\nEXPOSE $FIVE",
      findings: [
        "3 UndefinedVar: Usage of undefined variable '$NAEM' (did you mean $NAME?)",
        "4 UndefinedVar: Usage of undefined variable '$ONE'",
        "4 UndefinedVar: Usage of undefined variable '$THREE'",
        "6 UndefinedVar: Usage of undefined variable '$FOUR'",
        "8 UndefinedVar: Usage of undefined variable '$FIVE'",
      ],
    },
    { text: "ARG G=1\nFROM a\nUSER $G", findings: ["3 UndefinedVar: Usage of undefined variable '$G'"] },
    { text: "ARG G=1\nFROM a\nARG G TARGETARCH UNSET\nUSER $G$TARGETARCH$UNSET$PATH", findings: [] },
    { text: 'FROM a AS one\nENV A=1\nARG B\nFROM one\nUSER $A$B\nRUN $SHELL_ONLY\nCMD ["$X"]', findings: [] },
    { text: "FROM scratch\nUSER $PATH$NONE", findings: ["2 UndefinedVar: Usage of undefined variable '$NONE'"] },
    { text: "FROM a\nUSER $X", facts: { baseOf: () => undefined }, findings: [] },
  ],
  MultipleInstructionsDisallowed: [
    {
      text: 'FROM a\nCMD ["a"]\nCMD ["b"]\nENTRYPOINT ["a"]\nFROM a\nCMD ["c"]\nHEALTHCHECK NONE\nHEALTHCHECK NONE',
      findings: [
        "2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used",
        "7 MultipleInstructionsDisallowed: Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used",
      ],
    },
  ],
  LegacyKeyValueFormat: [
    {
      text: "FROM a\nENV a b\nLABEL c d\nENV e=f",
      findings: [
        '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
        '3 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
      ],
    },
  ],
  SecretsUsedInArgOrEnv: [
    {
      text: "ARG API_KEY\nFROM a\nENV DB_PASSWORD=x PUBLIC_KEY=y KEY_FILE=z KEYBOARD=k\nARG github_token",
      findings: [
        '1 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "API_KEY")',
        '3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "DB_PASSWORD")',
        '4 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "github_token")',
      ],
    },
  ],
  CopyIgnoredFile: [
    {
      text: "FROM a\nENV D=node_modules\nCOPY ./$D/x /x\nADD node_modules https://a/node_modules /y\nCOPY --from=a node_modules /z\nCOPY . /",
      facts: { isIgnored: (path) => path.startsWith("node_modules") },
      findings: [
        '3 CopyIgnoredFile: Attempting to Copy file "node_modules/x" that is excluded by .dockerignore',
        '4 CopyIgnoredFile: Attempting to Add file "node_modules" that is excluded by .dockerignore',
      ],
    },
  ],
  InvalidDefinitionDescription: [
    {
      text: "# check=experimental=all\n# what it is\nARG A=1\n# A of it\nARG A\n# first\n# B of it\nARG B C\n# other\nARG D E\n\nFROM a AS b\n# about\nFROM a AS c\n# about\n\nFROM a AS d\n# d is good\nFROM a AS d2\n# of nothing\nFROM a",
      findings: [
        "3 InvalidDefinitionDescription: Comment for ARG should follow the format: `# A <description>`",
        "10 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`",
        "14 InvalidDefinitionDescription: Comment for FROM should follow the format: `# c <description>`",
        "19 InvalidDefinitionDescription: Comment for FROM should follow the format: `# d2 <description>`",
      ],
    },
    { text: "# check=experimental=InvalidDefinitionDescription\nARG A=1\nFROM a", findings: [] },
    { text: "# what it is\nARG A=1\nFROM a", findings: [] },
  ],
  ExposeProtoCasing: [
    {
      text: "FROM a\nENV P=80/TcP\nEXPOSE 53/udp $P",
      findings: ["3 ExposeProtoCasing: Defined protocol '80/TcP' in EXPOSE instruction should be lowercase"],
    },
  ],
  ExposeInvalidFormat: [
    {
      text: "FROM a\nEXPOSE 127.0.0.1:80:80 80:81 82",
      findings: [
        "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
        "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '80:81'",
      ],
    },
  ],
};

for (const [rule, examples] of Object.entries(cases)) {
  test(`lint: ${rule}`, () => {
    for (const { text, facts, findings } of examples) assert.deepEqual(told(text, facts), findings, text);
  });
}

test("lint: every rule is shown above, and has the address of its page", () => {
  assert.deepEqual(Object.keys(cases).toSorted(), Object.keys(rules).toSorted());
  const urls = found("FROM a AS B\nCMD x\nENV PASSWORD=x").map(({ url }) => url);
  assert.deepEqual(
    urls,
    ["stage-name-casing", "json-args-recommended", "secrets-used-in-arg-or-env"].map(
      (page) => `https://docs.docker.com/go/dockerfile/rule/${page}/`,
    ),
  );
});

test("lint: the file and the caller skip rules", () => {
  const text = "FROM a as B\nCMD x";
  assert.equal(told(text).length, 3);
  assert.deepEqual(
    found(`# check=skip=JSONArgsRecommended, FromAsCasing\n${text}`).map(({ rule }) => rule),
    ["StageNameCasing"],
  );
  assert.deepEqual(found(`# check=skip=all\n${text}`), []);
  assert.deepEqual(found(text, { skip: "all" }), []);
  assert.deepEqual(
    found(text, { skip: ["StageNameCasing", "FromAsCasing"] }).map(({ rule }) => rule),
    ["JSONArgsRecommended"],
  );
});

test("lintFault: warnings end the build only where the file says so", () => {
  const of = (text: string): string | undefined => {
    const { dockerfile } = parseDockerfile(text);
    return lintFault(dockerfile, found(text))?.message;
  };
  assert.equal(of("FROM a AS B\nCMD x"), undefined);
  assert.equal(
    of("# check=error=true\nFROM a AS B\nCMD x\nFROM a AS C"),
    "lint violation found for rules: JSONArgsRecommended, StageNameCasing",
  );
  assert.equal(of("# check=skip=StageNameCasing;error=true\nFROM a AS B"), undefined);
});

test("lint: a file that cannot be expanded is no failure here, and a large one ends soon", () => {
  assert.deepEqual(told("FROM a\nUSER ${X\nEXPOSE ${Y:=1}\nFROM ${Z"), []);
  const many = Array.from({ length: 5000 }, (_, index) => `ENV NAME_${index}=$NAM_${index} B${index}=$C${index}`).join(
    "\n",
  );
  const start = performance.now();
  assert.equal(found(`FROM a\n${many}`).length, 1000);
  assert.ok(performance.now() - start < 10_000);
});
