import type { Route } from "../router.ts";
import type { ServerOptions } from "../server.ts";
import { archiveRoutes } from "./archive.ts";
import { builderRoutes } from "./builder.ts";
import { commitRoutes } from "./commit.ts";
import { containerStreamRoutes } from "./container-streams.ts";
import { containerUpdateRoutes } from "./container-update.ts";
import { containerRoutes } from "./containers.ts";
import { diskRoutes } from "./disk.ts";
import { diskUsageRoutes } from "./disk-usage.ts";
import { execRoutes } from "./exec.ts";
import { imageRoutes } from "./images.ts";
import { networkRoutes } from "./networks.ts";
import { systemRoutes } from "./system.ts";
import { unsupportedRoutes } from "./unsupported.ts";
import { usageRoutes } from "./usage.ts";
import { volumeRoutes } from "./volumes.ts";

/** Every route; exact paths come before those whose names may hold slashes. */
export function allRoutes(options: ServerOptions): Route[] {
  return [
    ...systemRoutes(options),
    ...diskUsageRoutes(options),
    ...diskRoutes(options),
    ...builderRoutes(options),
    ...containerRoutes(options),
    ...containerStreamRoutes(options),
    ...containerUpdateRoutes(options),
    ...archiveRoutes(options),
    ...commitRoutes(options),
    ...execRoutes(options),
    ...usageRoutes(options),
    ...unsupportedRoutes(),
    ...imageRoutes(options),
    ...networkRoutes(options),
    ...volumeRoutes(options),
  ];
}
