import { type Command, defineCommand } from "../command.ts";
import { text, toggle } from "../flags/flag.ts";

/** `slipway login`: not built yet, and says so. */
export const login = refused(
  "Log in to a registry",
  "slipway login is not supported yet: log in with `docker login` or `podman login --authfile ~/.docker/config.json`; slipway reads that file",
);

/** `slipway logout`: not built yet, and says so. */
export const logout = refused(
  "Log out from a registry",
  "slipway logout is not supported yet: take the entry out of ~/.docker/config.json",
);

function refused(summary: string, message: string): Command {
  return defineCommand({
    usage: "[OPTIONS] [SERVER]",
    summary: `${summary} (not supported yet)`,
    flags: {
      username: text("User name", { short: "u" }),
      password: text("Password or token", { short: "p" }),
      "password-stdin": toggle("Read the password from stdin"),
    },
    args: [0, 1],
    run: async () => {
      throw new Error(message);
    },
  });
}
