/** The door of `api/wire/`: the Engine API's documents, their checks and their encodings; shared by client and server. */
export type * from "./build-types.ts";
export type * from "./container-config.ts";
export type * from "./container-types.ts";
export type * from "./disk-types.ts";
export type * from "./image-types.ts";
export type * from "./network-types.ts";
export type * from "./stats-types.ts";
export type * from "./system-types.ts";
export type * from "./volume-types.ts";
export {
  type ApiVersion,
  apiVersion,
  apiVersionText,
  engineVersion,
  maxApiVersion,
  minApiVersion,
  parseApiVersion,
  productVersion,
} from "./versions.ts";
export { booleanFilter, type Filters, formatFilters, parseFilters } from "./filters.ts";
export { formatTime, parseDuration, parseTime } from "./times.ts";
export { encodeFrame, type Frame, FrameDecoder, type FrameStream } from "./frames.ts";
export { checkNetworkConnect, checkNetworkCreate, checkNetworkDisconnect } from "./network-checks.ts";
export { checkVolumeCreate } from "./volume-checks.ts";
export { bareNumber, parseJson, toJson } from "./json.ts";
export { errorLine, type ProgressMessage, progressLine, type PushResult } from "./progress.ts";
export {
  checkContainerCreate,
  checkContainerUpdate,
  checkExecCreate,
  checkExecStart,
  checkRegistryAuth,
} from "./request-checks.ts";
export {
  buildStreamType,
  checkBuildArgs,
  checkBuildContexts,
  checkBuildOutputs,
  checkBuildSession,
  checkBuildUlimits,
  checkCacheFrom,
  checkRegistryConfig,
  checkTextMap,
  checkTexts,
} from "./build-checks.ts";
