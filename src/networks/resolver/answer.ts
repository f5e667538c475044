import { type Addresses, type NamesPicture } from "./names-view.ts";
import { type AnswerRecord, answerTo, type Query, rcode, readQuery, type Transport } from "./packets.ts";
import { addressOfReverseName } from "./reverse-names.ts";
import type { ContainerNames } from "./container-names.ts";

/** What is to be done about a message of a container. */
export type Decision =
  | { readonly kind: "answer"; readonly message: Buffer }
  /** Nobody's name: to be asked outside, on the container's behalf. */
  | { readonly kind: "forward"; readonly query: Query; readonly asker: ContainerNames }
  /** Not even a query. */
  | { readonly kind: "silence" };

/** Decides by what is known; `turn` rotates the addresses of names that have several. Never throws. */
export function decide(
  picture: NamesPicture,
  containerId: string,
  transport: Transport,
  message: Buffer,
  turn: number,
): Decision {
  const understood = readQuery(message);
  if (understood.kind === "nothing") return { kind: "silence" };
  if (understood.kind === "refused") return { kind: "answer", message: understood.answer };
  const { query } = understood;
  const asker = picture.get(containerId);
  if (asker === undefined) return failure(query, transport);
  const records = recordsFor(picture, asker, query);
  if (records !== undefined) {
    return { kind: "answer", message: answerTo(query, transport, rcode.noError, rotate(records, turn)) };
  }
  if (staysInside(asker, query)) return { kind: "answer", message: answerTo(query, transport, rcode.noError, []) };
  return asker.external ? { kind: "forward", query, asker } : failure(query, transport);
}

/** SERVFAIL: there is no answer to be had. */
export function failure(query: Query, transport: Transport): Extract<Decision, { kind: "answer" }> {
  return { kind: "answer", message: answerTo(query, transport, rcode.servFail, []) };
}

/** The records of a name that is known; none when it has none of that type. Undefined: nobody's name. */
function recordsFor(picture: NamesPicture, asker: ContainerNames, query: Query): AnswerRecord[] | undefined {
  if (query.class !== "IN") return undefined;
  const address = addressOfReverseName(query.name);
  if (address !== undefined) {
    const name = picture.nameOf(asker, address);
    if (name === undefined) return undefined;
    return query.type === "PTR" ? [{ type: "PTR", data: name }] : [];
  }
  const found = picture.addressesOf(asker, query.name);
  return found === undefined ? undefined : addressRecords(found, query.type);
}

function addressRecords({ ipv4, ipv6 }: Addresses, type: string): AnswerRecord[] {
  if (type === "A") return ipv4.map((data) => ({ type, data }));
  if (type === "AAAA") return ipv6.map((data) => ({ type, data }));
  return [];
}

/** With `ndots` set, Docker answers an unknown single label with nothing, so that the client goes on with its search domains. */
function staysInside(asker: ContainerNames, { name, type }: Query): boolean {
  return asker.ndotsSet === true && (type === "A" || type === "AAAA") && !name.includes(".");
}

function rotate<Item>(items: readonly Item[], turn: number): readonly Item[] {
  const start = items.length === 0 ? 0 : turn % items.length;
  return start === 0 ? items : [...items.slice(start), ...items.slice(0, start)];
}
