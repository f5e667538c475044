import { defineCommand } from "../command.ts";
import { eraseLogins } from "../credential-store.ts";
import { hostOf, loginKey } from "../credentials.ts";
import { print } from "../surroundings.ts";

/** `slipway logout`. */
export const logout = defineCommand({
  usage: "[SERVER]",
  summary: "Log out from a registry",
  description: "Forgets the name and password of a registry (Docker Hub when none is named).",
  flags: {},
  args: [0, 1],
  run: async ({ args: [server = ""], around }) => {
    const key = loginKey(server);
    const host = hostOf(key);
    const shown = server === "" ? key : host;
    await print(around, `Removing login credentials for ${shown}`);
    // Earlier clients filed them in other forms.
    const keys = server === "" ? [key] : [...new Set([server, key, host, `http://${host}`, `https://${host}`])];
    await eraseLogins(await around.userConfig(), keys);
    return 0;
  },
});
