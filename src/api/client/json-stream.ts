import { parseJson } from "#api/wire";
import { Fault } from "#core/fault";

/** No JSON document of a stream is longer. */
const documentLimitChars = 16 * 1024 * 1024;

/**
 * The JSON documents of a stream, one per line (CRLF or LF) as engines write them; RFC 7464 record separators are
 * skipped. Faults: `internal` when a line is not JSON, `tooLarge` past 16 Mi characters.
 */
export async function* jsonStream<Document>(source: AsyncIterable<Uint8Array>): AsyncGenerator<Document> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of source) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield* documentsOf<Document>(line);
    if (rest.length > documentLimitChars) throw new Fault("tooLarge", "a message of the engine is too long");
    // Some engines write documents without a newline after them.
    if (rest.endsWith("}") && isJson(rest)) {
      yield* documentsOf<Document>(rest);
      rest = "";
    }
  }
  yield* documentsOf<Document>(rest + decoder.decode());
}

function* documentsOf<Document>(line: string): Generator<Document> {
  const text = line.replace(/^[\x1e\s]+|\s+$/g, "");
  if (text === "") return;
  try {
    yield parseJson(text) as Document;
  } catch (error) {
    throw new Fault("internal", `the engine sent a line that is not JSON: ${text.slice(0, 200)}`, { cause: error });
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
