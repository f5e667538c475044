import { shortId } from "#core/ids";
import { Fault } from "#core/fault";
import type { Container } from "../containers.ts";

/** What of a container its log can tell. */
export type LogSubject = Pick<Container, "id" | "name" | "spec" | "process" | "imageId">;

/** Labels and variables that the log options `labels`, `labels-regex`, `env` and `env-regex` choose, and a `tag` where one was given; `logs --details` shows them. */
export function logAttributes(subject: LogSubject): Readonly<Record<string, string>> {
  const { options, driver } = subject.spec.logging;
  const variables = Object.fromEntries(
    subject.process.env.flatMap((entry) => {
      const at = entry.indexOf("=");
      return at < 0 ? [] : [[entry.slice(0, at), entry.slice(at + 1)]];
    }),
  );
  return {
    ...chosen(subject.process.labels, options["labels"], options["labels-regex"]),
    ...chosen(variables, options["env"], options["env-regex"]),
    ...(driver === "json-file" && options["tag"] !== undefined && { tag: logTag(subject, options["tag"]) }),
  };
}

/** A tag template with the container's facts put in: the fields of Docker's, `index .ContainerLabels "key"`, `lower`, `upper`. Fault `invalid`. */
export function logTag(subject: LogSubject, template: string): string {
  return template.replace(/\{\{-?\s*(.*?)\s*-?\}\}/g, (_all, action: string) => evaluate(subject, action));
}

/** Fault `invalid` when a template is none of ours. */
export function checkTag(template: string): void {
  const blank = { id: "0".repeat(64), name: "x", imageId: "sha256:x", spec: { image: "x" } };
  logTag({ ...blank, process: { labels: {}, args: [], env: [] } } as unknown as LogSubject, template);
  if (/\{\{/.test(template.replace(/\{\{.*?\}\}/g, ""))) throw wrongTag(template);
}

function evaluate(subject: LogSubject, action: string): string {
  const label = /^index\s+\.ContainerLabels\s+"([^"]*)"$/.exec(action)?.[1];
  if (label !== undefined) return subject.process.labels[label] ?? "";
  const [, name = "", field = ""] = /^(?:(lower|upper)\s+)?\.(\w+)$/.exec(action) ?? [];
  const value = Object.hasOwn(fields, field) ? fields[field]?.(subject) : undefined;
  if (value === undefined) throw wrongTag(action);
  return name === "lower" ? value.toLowerCase() : name === "upper" ? value.toUpperCase() : value;
}

function wrongTag(text: string): Fault {
  return new Fault("invalid", `template: log-tag: cannot evaluate ${JSON.stringify(text.slice(0, 100))}`, {
    remedy: `Fields are ${Object.keys(fields)
      .map((name) => `{{.${name}}}`)
      .join(", ")} and {{index .ContainerLabels "key"}}.`,
  });
}

const imageDigits = (subject: LogSubject): string => subject.imageId.replace(/^sha256:/, "");

const fields: Readonly<Record<string, (subject: LogSubject) => string>> = {
  ID: ({ id }) => shortId(id),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: (subject) => imageDigits(subject).slice(0, 12),
  ImageFullID: ({ imageId }) => imageId,
  ImageName: ({ spec }) => spec.image,
  Command: ({ process }) => process.args.join(" "),
  DaemonName: () => "docker", // what parsers of such tags look for
  ContainerID: ({ id }) => id,
  ContainerName: ({ name }) => `/${name}`,
  ContainerImageID: ({ imageId }) => imageId,
  ContainerImageName: ({ spec }) => spec.image,
};

function chosen(
  values: Readonly<Record<string, string>>,
  names: string | undefined,
  pattern: string | undefined,
): Record<string, string> {
  const wanted = new Set((names ?? "").split(","));
  const regex = pattern === undefined || pattern === "" ? undefined : new RegExp(pattern);
  return Object.fromEntries(Object.entries(values).filter(([name]) => wanted.has(name) || regex?.test(name) === true));
}
