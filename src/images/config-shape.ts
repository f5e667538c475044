import { Fault } from "#core/fault";
import type { ImageConfig } from "#core/oci";

/** Fault `invalid` unless what the other rooms read of a config document has the types that its specification gives (OCI image-spec config.md; null stands for absent). */
export function checkConfigShape(config: ImageConfig): void {
  const document = config as unknown as Fields;
  for (const key of ["created", "author", "variant", "os.version"]) expect(document, key, isText);
  expect(
    document,
    "history",
    (value) => Array.isArray(value) && value.every((entry) => isFields(entry) && isHistory(entry)),
  );
  expect(document, "config", isFields);
  const defaults = document["config"];
  if (!isFields(defaults)) return;
  for (const key of ["User", "WorkingDir", "StopSignal"]) expect(defaults, key, isText);
  for (const key of ["Env", "Entrypoint", "Cmd", "Shell", "OnBuild"]) expect(defaults, key, isTexts);
  for (const key of ["ExposedPorts", "Volumes"]) expect(defaults, key, isFields);
  expect(defaults, "Labels", (value) => isFields(value) && Object.values(value).every(isText));
  expect(defaults, "Healthcheck", (value) => isFields(value) && isHealthcheck(value));
}

type Fields = Readonly<Record<string, unknown>>;

function expect(fields: Fields, key: string, isRight: (value: unknown) => boolean): void {
  const value = fields[key];
  if (value === undefined || value === null || isRight(value)) return;
  throw new Fault("invalid", `the image config is malformed: ${key} has the wrong type`);
}

function isHistory(entry: Fields): boolean {
  return ["created", "created_by", "comment", "author"].every(
    (key) => entry[key] === undefined || entry[key] === null || isText(entry[key]),
  );
}

function isHealthcheck(check: Fields): boolean {
  const numbers = ["Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"];
  return (
    (check["Test"] === undefined || check["Test"] === null || isTexts(check["Test"])) &&
    numbers.every((key) => check[key] === undefined || typeof check[key] === "number")
  );
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
