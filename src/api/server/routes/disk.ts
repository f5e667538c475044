import { toJson } from "#api/wire";
import type { CheckFindingAnswer, CollectionAnswer } from "#api/wire";
import { diskBudgetText } from "#core/disk-budget";
import { rfc3339Nano } from "#core/clock";
import type { Collection } from "#disk";
import type { Answer } from "../http/answer.ts";
import { type ApiRequest, route, type Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";

/** What Docker has no routes for: keeping to the disk budget, and checking what is stored. */
export function diskRoutes(options: ServerOptions): Route[] {
  return [
    route("POST /slipway/gc", async ({ query }) => {
      const found = await options.disk.collect({ dryRun: query.flag("dry-run") });
      return { kind: "json", status: 200, value: collectionAnswer(found, query.flag("dry-run")) };
    }),
    route("POST /slipway/check", (request) => check(options, request)),
  ];
}

function collectionAnswer(found: Collection, dryRun: boolean): CollectionAnswer {
  return {
    Budget: diskBudgetText(found.budget),
    UsedBytes: found.usedBytes,
    ...(Number.isFinite(found.limitBytes) && { LimitBytes: found.limitBytes, TargetBytes: found.targetBytes }),
    DryRun: dryRun,
    Collected: found.collected.map(({ kind, id, names, usedNs, freedBytes }) => ({
      Kind: kind,
      ID: id,
      Names: names,
      LastUsed: rfc3339Nano(usedNs),
      FreedBytes: freedBytes,
    })),
    SpaceReclaimed: found.reclaimedBytes,
  };
}

/** One finding a line, as they are found. */
function check({ disk }: ServerOptions, { query, signal }: ApiRequest): Answer {
  const findings = disk.check({ repair: query.flag("repair") }, signal);
  async function* lines(): AsyncGenerator<string> {
    for await (const { kind, text, outcome, remedy } of findings) {
      const line: CheckFindingAnswer = {
        Kind: kind,
        Text: text,
        Outcome: outcome,
        ...(remedy !== undefined && { Remedy: remedy }),
      };
      yield `${toJson(line)}\n`;
    }
  }
  return { kind: "stream", contentType: "application/json", body: lines(), headAtOnce: false };
}
