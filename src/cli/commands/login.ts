import { type Client, EngineFault, type RegistryAuthHeader } from "#api/client";
import { askLine } from "../ask.ts";
import { defineCommand } from "../command.ts";
import { type Login, storeLogin } from "../credential-store.ts";
import { loginKey, storedLogin } from "../credentials.ts";
import { text, toggle } from "../flags/flag.ts";
import { print, type Surroundings } from "../surroundings.ts";

/** `slipway login`. */
export const login = defineCommand({
  usage: "[OPTIONS] [SERVER]",
  summary: "Log in to a registry",
  description:
    "The engine shows name and password to the registry (Docker Hub when none is named).\nWhat it accepts is kept in ~/.docker/config.json or by the credential helper set there, as docker keeps it.",
  examples: [
    ["slipway login registry.example:5000", "Asks for name and password"],
    ["pass show reg | slipway login -u ann --password-stdin reg.example", "From a script"],
  ],
  flags: {
    username: text("User name", { short: "u" }),
    password: text("Password or token (seen by others in the list of processes)", { short: "p" }),
    "password-stdin": toggle("Read the password from stdin"),
  },
  args: [0, 1],
  run: async ({ args: [server = ""], around, values, changed }) => {
    const key = loginKey(server);
    const typed = await typedPassword(around, values, changed.has("password"));
    const client = await around.client();
    if (values.username === "" && typed === undefined && (await loginAgain(around, client, key))) return 0;
    const username = values.username || (await askName(around));
    const password = typed ?? (await askPassword(around));
    await logIn(around, client, { username, password, serveraddress: key });
    return 0;
  },
});

async function typedPassword(
  around: Surroundings,
  values: { readonly username: string; readonly password: string; readonly "password-stdin": boolean },
  isGiven: boolean,
): Promise<string | undefined> {
  if (values["password-stdin"]) {
    if (isGiven) throw new Error("conflicting options: cannot specify both --password and --password-stdin");
    if (values.username === "") throw new Error("the --password-stdin option requires --username to be set");
    return nonEmpty((await readAll(around.stdin)).replace(/\r?\n$/, ""));
  }
  if (!isGiven) return undefined;
  around.stderr.write("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
  return nonEmpty(values.password);
}

/** With what is stored from an earlier login; answers whether that was enough. */
async function loginAgain(around: Surroundings, client: Client, key: string): Promise<boolean> {
  const stored = await storedLogin(await around.userConfig(), key);
  if (stored === undefined) return false;
  const as = stored.username ? ` [Username: ${stored.username}]` : "";
  around.stderr.write(`Authenticating with existing credentials...${as}\n`);
  try {
    await client.system.checkCredentials(stored);
    await print(around, "Login Succeeded");
    return true;
  } catch (error) {
    if (!(error instanceof EngineFault) || error.kind !== "unauthorized" || !around.stdin.isTTY) throw error;
    around.stderr.write("Stored credentials invalid or expired\n");
    return false;
  }
}

async function logIn(
  around: Surroundings,
  client: Client,
  auth: RegistryAuthHeader & { readonly username: string; readonly password: string; readonly serveraddress: string },
): Promise<void> {
  const { Status, IdentityToken } = await client.system.checkCredentials(auth);
  const { username, password, serveraddress } = auth;
  const accepted: Login = IdentityToken === "" ? { username, password } : { username, identityToken: IdentityToken };
  const path = await storeLogin(await around.userConfig(), serveraddress, accepted);
  if (path !== undefined) {
    around.stderr.write(
      `\nWARNING! Your credentials are stored unencrypted in '${path}'.\nSet a credential helper there ("credsStore") to remove this warning.\n\n`,
    );
  }
  await print(around, Status);
}

async function askName(around: Surroundings): Promise<string> {
  const name = (await askLine(around, "Username: ")) ?? noTerminal();
  if (name.trim() === "") throw new Error("username is required");
  return name.trim();
}

async function askPassword(around: Surroundings): Promise<string> {
  return nonEmpty((await askLine(around, "Password: ", { hidden: true })) ?? noTerminal());
}

function noTerminal(): never {
  throw new Error("Cannot perform an interactive login from a non TTY device");
}

function nonEmpty(password: string): string {
  if (password === "") throw new Error("password is empty");
  return password;
}

const longestPasswordBytes = 1024 * 1024;

async function readAll(input: AsyncIterable<Buffer | string>): Promise<string> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of input) {
    pieces.push(Buffer.from(piece));
    sizeBytes += piece.length;
    if (sizeBytes > longestPasswordBytes) throw new Error("the password on standard input does not end");
  }
  return Buffer.concat(pieces).toString("utf8");
}
