/** What on this host drops the packets of containers' networks, and what opens their ways. */
export interface ForwardObstacle {
  /** Whose it is, and what it does. */
  readonly text: string;
  /** The commands. */
  readonly remedy: string;
}

/**
 * Finds what on this host drops the packets that our bridges pass on: a table cannot open what another one closes. A rule set that
 * names a bridge was made to fit, and is not questioned.
 *
 * @param ruleset - what `nft -j list ruleset` says
 * @param ours - the instance's table; its sets tell which bridges there are
 */
export function forwardObstacles(ruleset: string, ours: string): ForwardObstacle[] {
  const all = read(ruleset);
  const closed = all.chains.filter(closes).flatMap((chain) => {
    const remedy = remedyFor(chain, all.chains);
    const rules = all.rules.filter((rule) => isSameTable(rule, chain));
    return bridgesFor(chain, all, ours)
      .filter((bridge) => !isNamed(bridge, rules))
      .map((bridge) => ({ owner: remedy.owner, bridge, commands: remedy.commands(bridge) }));
  });
  return [...Map.groupBy(closed, ({ owner }) => owner)].map(([owner, each]) => {
    const bridges = [...new Set(each.map(({ bridge }) => bridge))];
    return {
      text: `${owner} drops what the containers of ${bridges.join(", ")} exchange with other machines`,
      remedy: [...new Set(each.flatMap(({ commands }) => commands))].join("; "),
    };
  });
}

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

interface Rule {
  readonly family: string;
  readonly table: string;
  readonly expr: unknown;
}

interface NamedSet {
  readonly table: string;
  readonly name: string;
  readonly elem?: readonly unknown[];
}

interface Ruleset {
  readonly chains: readonly Chain[];
  readonly rules: readonly Rule[];
  readonly sets: readonly NamedSet[];
}

function read(text: string): Ruleset {
  const { nftables } = JSON.parse(text) as {
    readonly nftables: readonly { readonly chain?: Chain; readonly rule?: Rule; readonly set?: NamedSet }[];
  };
  return {
    chains: nftables.flatMap(({ chain }) => chain ?? []),
    rules: nftables.flatMap(({ rule }) => rule ?? []),
    sets: nftables.flatMap(({ set }) => set ?? []),
  };
}

/** Internal networks exchange nothing. */
function bridgesFor({ family }: Chain, all: Ruleset, ours: string): string[] {
  if (family === "ip6") return elementsOf(all, ours, "masqueraded6");
  const internal = new Set(elementsOf(all, ours, "internal"));
  return elementsOf(all, ours, "bridges").filter((bridge) => !internal.has(bridge));
}

function elementsOf({ sets }: Ruleset, table: string, name: string): string[] {
  return sets.find((set) => set.table === table && set.name === name)?.elem?.map(String) ?? [];
}

function isSameTable(one: Pick<Chain, "family" | "table">, other: Pick<Chain, "family" | "table">): boolean {
  return one.family === other.family && one.table === other.table;
}

/** firewalld's chain has no policy: it rejects in the end. */
function closes({ hook, table, policy }: Chain): boolean {
  return hook === "forward" && (policy === "drop" || (table === "firewalld" && policy !== undefined));
}

/** Whether a rule names the bridge, also by its beginning (`br-*`). */
function isNamed(bridge: string, rules: readonly Rule[]): boolean {
  const names = rules.flatMap(({ expr }) =>
    [...JSON.stringify(expr).matchAll(/"key":"[io]ifname"\}\},"right":(\{[^}]*\}|"[^"]*")/g)].flatMap(
      ([, right = ""]) => [...right.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name),
    ),
  );
  return names.some((name) => (name.endsWith("*") ? bridge.startsWith(name.slice(0, -1)) : name === bridge));
}

interface Remedy {
  readonly owner: string;
  commands(bridge: string): string[];
}

function remedyFor({ family, table, name }: Chain, chains: readonly Chain[]): Remedy {
  const program = family === "ip6" ? "ip6tables" : "iptables";
  const beside = new Set(chains.filter((chain) => isSameTable(chain, { family, table })).map((chain) => chain.name));
  const inserted =
    (chain: string) =>
    (bridge: string): string[] => [
      `${program} -I ${chain} -i ${bridge} -j ACCEPT`,
      `${program} -I ${chain} -o ${bridge} -j ACCEPT`,
    ];
  if (table === "firewalld") {
    return {
      owner: "firewalld",
      commands: (bridge) => [
        `firewall-cmd --permanent --zone=trusted --add-interface=${bridge} && firewall-cmd --reload`,
      ],
    };
  }
  if (beside.has("DOCKER-USER")) return { owner: "Docker's forward policy", commands: inserted("DOCKER-USER") };
  if (beside.has("ufw-user-forward") || beside.has("ufw6-user-forward")) {
    return { owner: "ufw", commands: (bridge) => [`ufw route allow in on ${bridge}`] };
  }
  if (table === "filter" && name === "FORWARD") {
    return { owner: `the policy of the chain FORWARD of ${program}`, commands: inserted("FORWARD") };
  }
  return {
    owner: `the policy of the chain ${family} ${table} ${name}`,
    commands: (bridge) =>
      ["iifname", "oifname"].map((key) => `nft insert rule ${family} ${table} ${name} ${key} ${bridge} accept`),
  };
}
