import type { Filters } from "#api/wire";
import type { Event } from "#core/event";

/** The filters that `/events` knows. */
export const knownEventFilters: readonly string[] = [
  "config",
  "container",
  "daemon",
  "event",
  "image",
  "label",
  "network",
  "node",
  "plugin",
  "scope",
  "secret",
  "service",
  "type",
  "volume",
];

/** Actions that carry more behind a colon and match by their first word. */
const openEnded = ["health_status", "exec_create", "exec_start", "exec_die"];

/** Whether an event passes: any value within a key, every key; labels all of them. */
export function eventMatcher(filters: Filters): (event: Event) => boolean {
  const tests = Object.entries(filters)
    .filter(([, values]) => values.length > 0)
    .map(([key, values]) => testFor(key, values));
  return (event) => tests.every((test) => test(event));
}

function testFor(key: string, values: readonly string[]): (event: Event) => boolean {
  if (key === "type") return ({ type }) => values.includes(type);
  if (key === "scope") return () => values.includes("local");
  if (key === "event") return ({ action }) => values.some((value) => matchesAction(action, value));
  if (key === "label") return ({ attributes }) => values.every((value) => matchesLabel(attributes, value));
  if (key === "image") return (event) => values.some((value) => matchesImage(event, value));
  if (key === "daemon") return (event) => event.type === "daemon" && values.some((value) => matchesActor(event, value));
  return (event) => event.type === key && values.some((value) => matchesActor(event, value));
}

function matchesAction(action: string, wanted: string): boolean {
  if (action === wanted) return true;
  return openEnded.some((word) => wanted.startsWith(word) && action.startsWith(wanted));
}

function matchesLabel(attributes: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return Object.hasOwn(attributes, wanted);
  const key = wanted.slice(0, equals);
  return Object.hasOwn(attributes, key) && attributes[key] === wanted.slice(equals + 1);
}

/** By a prefix of the id or by name. */
function matchesActor({ actorId, attributes }: Event, wanted: string): boolean {
  return actorId.startsWith(wanted) || (attributes["name"] ?? "").startsWith(wanted.replace(/^\//, ""));
}

/** Events of the image itself and of containers made from it; a name without tag means every tag. */
function matchesImage({ type, actorId, attributes }: Event, wanted: string): boolean {
  const name = (type === "image" ? attributes["name"] : attributes["image"]) ?? "";
  const withoutTag = name.replace(/(?<=[^/]):[^/:]*$/, "");
  return (type === "image" && actorId === wanted) || name === wanted || withoutTag === wanted;
}
