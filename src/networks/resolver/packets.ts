/**
 * DNS messages (RFC 1035, 6891). What is in a query and in a record's data is the library's work; the frame of an answer is put
 * together here, as its question has to be the asker's, bit for bit, and its names pointers to it, neither of which the library does.
 */
import dnsPacket, { type Answer } from "dns-packet";

/** How a message travels; over UDP its size is limited. */
export type Transport = "udp" | "tcp";

/** Response codes that we give ourselves. */
export const rcode = { noError: 0, formErr: 1, servFail: 2, notImp: 4, badVers: 16 } as const;
type Rcode = (typeof rcode)[keyof typeof rcode];

/** A query of one question. */
export interface Query {
  readonly message: Buffer;
  /** Lower case, without the dot at the end. */
  readonly name: string;
  /** `A`, `AAAA`, `PTR`, … or `UNKNOWN_65`. */
  readonly type: string;
  /** `IN`, mostly. */
  readonly class: string;
  /** Where the question section ends. */
  readonly questionEnd: number;
  /** Whether the asker speaks EDNS. */
  readonly edns: boolean;
  /** Greatest answer that the asker takes over UDP, in bytes: 512–4096. */
  readonly udpLimit: number;
}

/** A message as it was understood: a query, something to be refused with that code, or nothing to answer to. */
export type Understood =
  | { readonly kind: "query"; readonly query: Query }
  | { readonly kind: "refused"; readonly answer: Buffer }
  | { readonly kind: "nothing" };

/** A record of an answer; its name is always the question's. */
export type AnswerRecord =
  | { readonly type: "A" | "AAAA"; readonly data: string }
  | { readonly type: "PTR"; readonly data: string };

const headerBytes = 12;
/** No honest query comes near; it bounds what a container can have us keep and parse. */
const maxQueryBytes = 4096;
const plainUdpBytes = 512;
const maxUdpBytes = 4096;
const maxTcpBytes = 65_535;
/** Seconds that clients may keep an answer: Docker's. */
const timeToLiveS = 600;
const typeNumbers = { A: 1, AAAA: 28, PTR: 12 } as const;
const flag = { response: 0x8000, truncated: 0x0200, recursionAvailable: 0x0080 } as const;
/** Opcode, recursion desired, checking disabled: these go back as they came. */
const keptFlags = 0x7910;

/** Codecs of the library's that its types leave out. */
const codecs = dnsPacket as unknown as {
  readonly record: (type: string) => { encode(data: string): Buffer };
  readonly answer: { encode(answer: object): Buffer };
};

/** Reads a message from a container. Never throws. */
export function readQuery(message: Buffer): Understood {
  if (message.length < headerBytes || (message.readUInt16BE(2) & flag.response) !== 0) return { kind: "nothing" };
  const opcode = (message.readUInt16BE(2) >> 11) & 0x0f;
  if (opcode !== 0) return { kind: "refused", answer: refuse(message, rcode.notImp) };
  const questionEnd = endOfQuestion(message);
  if (message.length > maxQueryBytes || questionEnd === undefined || !hasQuerysCounts(message)) {
    return { kind: "refused", answer: refuse(message, rcode.formErr) };
  }
  try {
    return understood(message, questionEnd);
  } catch {
    return { kind: "refused", answer: refuse(message, rcode.formErr) };
  }
}

/** An answer of our own; over UDP as many records as fit, the rest by TCP. */
export function answerTo(query: Query, transport: Transport, code: Rcode, records: readonly AnswerRecord[]): Buffer {
  const tail = query.edns ? optRecord(code) : Buffer.alloc(0);
  const limit = transport === "udp" ? query.udpLimit : maxTcpBytes;
  const encoded: Buffer[] = [];
  let size = query.questionEnd + tail.length;
  for (const record of records) {
    const bytes = encodeRecord(record);
    if (size + bytes.length > limit) break;
    size += bytes.length;
    encoded.push(bytes);
  }
  const question = Buffer.from(query.message.subarray(0, query.questionEnd));
  // Docker's: recursion is available wherever there is an answer; we are not the authority of any zone.
  const available = code === rcode.servFail ? 0 : flag.recursionAvailable;
  const truncated = encoded.length < records.length ? flag.truncated : 0;
  setHeader(question, available | truncated | (code & 0x0f), [1, encoded.length, 0, query.edns ? 1 : 0]);
  return Buffer.concat([question, ...encoded, tail]);
}

/** Another server's answer as the asker can take it: whole, or cut to the question and marked so that it asks by TCP. */
export function fitAnswer(query: Query, transport: Transport, answer: Buffer): Buffer {
  if (transport === "tcp" || answer.length <= query.udpLimit) return answer;
  const cut = Buffer.from(answer.subarray(0, query.questionEnd));
  cut.writeUInt16BE(cut.readUInt16BE(2) | flag.truncated, 2);
  for (const [index, count] of [1, 0, 0, 0].entries()) cut.writeUInt16BE(count, 4 + 2 * index);
  return cut;
}

/** Whether a message from a server answers that query: same id (as sent), same question. Case may differ in the name. */
export function isAnswerTo(answer: Buffer, sent: Buffer): boolean {
  const end = endOfQuestion(sent);
  if (end === undefined || answer.length < end || endOfQuestion(answer) !== end) return false;
  if ((answer.readUInt16BE(2) & flag.response) === 0 || answer.readUInt16BE(4) !== 1) return false;
  const question = (message: Buffer): string => message.toString("latin1", headerBytes, end).toLowerCase();
  return answer.readUInt16BE(0) === sent.readUInt16BE(0) && question(answer) === question(sent);
}

/** Whether a server left records out for want of room. */
export function isTruncated(answer: Buffer): boolean {
  return (answer.readUInt16BE(2) & flag.truncated) !== 0;
}

/** The response code in the header. */
export function rcodeOf(answer: Buffer): number {
  return answer.readUInt16BE(2) & 0x0f;
}

/** The same message with another id. */
export function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}

function understood(message: Buffer, questionEnd: number): Understood {
  const { questions = [], additionals = [] } = dnsPacket.decode(message);
  const [question] = questions;
  if (question === undefined) return { kind: "refused", answer: refuse(message, rcode.formErr) };
  const opts = additionals.filter((record: Answer) => record.type === "OPT");
  const [opt] = opts;
  if (opts.length > 1) return { kind: "refused", answer: refuse(message, rcode.formErr) };
  const asked = opt === undefined ? plainUdpBytes : (opt.udpPayloadSize ?? plainUdpBytes);
  const query = {
    message,
    name: question.name.toLowerCase(),
    type: question.type,
    class: question.class ?? "",
    questionEnd,
    edns: opt !== undefined,
    udpLimit: Math.min(Math.max(asked, plainUdpBytes), maxUdpBytes),
  };
  if (opt !== undefined && (opt.ednsVersion ?? 0) > 0) {
    return { kind: "refused", answer: answerTo(query, "udp", rcode.badVers, []) };
  }
  return { kind: "query", query };
}

/** One question, and no more of the rest than a query may bring (an OPT, a signature). */
function hasQuerysCounts(message: Buffer): boolean {
  const [questions = 0, answers = 0, authorities = 0, additionals = 0] = [4, 6, 8, 10].map((at) =>
    message.readUInt16BE(at),
  );
  return questions === 1 && answers === 0 && authorities === 0 && additionals <= 2;
}

/** Where the first question ends; undefined when there is none, or its name is not spelled out. */
function endOfQuestion(message: Buffer): number | undefined {
  let at = headerBytes;
  for (let length = message[at]; length !== 0; length = message[at]) {
    if (length === undefined || length > 63) return undefined;
    at += 1 + length;
    if (at - headerBytes > 254) return undefined;
  }
  const end = at + 5;
  return end <= message.length ? end : undefined;
}

function refuse(message: Buffer, code: Rcode): Buffer {
  const header = Buffer.from(message.subarray(0, headerBytes));
  setHeader(header, code, [0, 0, 0, 0]);
  return header;
}

/** `flags` beside those that every answer has; the counts are of questions, answers, authorities and additional records. */
function setHeader(answer: Buffer, flags: number, counts: readonly number[]): void {
  answer.writeUInt16BE((answer.readUInt16BE(2) & keptFlags) | flag.response | flags, 2);
  for (const [index, count] of counts.entries()) answer.writeUInt16BE(count, 4 + 2 * index);
}

function encodeRecord({ type, data }: AnswerRecord): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(0xc000 | headerBytes, 0); // a pointer to the question's name
  head.writeUInt16BE(typeNumbers[type], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(timeToLiveS, 6);
  return Buffer.concat([head, codecs.record(type).encode(data)]);
}

function optRecord(code: Rcode): Buffer {
  const extendedRcode = code >> 4;
  return codecs.answer.encode({ type: "OPT", name: ".", udpPayloadSize: maxUdpBytes, extendedRcode, options: [] });
}
