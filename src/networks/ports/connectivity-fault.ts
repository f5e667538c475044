import { Fault } from "#core/fault";

/** Docker's words; its clients look for them. */
export function connectivityFault(containerName: string, endpointId: string, cause: unknown): unknown {
  if (!(cause instanceof Fault)) return cause;
  const message = `driver failed programming external connectivity on endpoint ${containerName} (${endpointId}): ${cause.message}`;
  return new Fault(cause.kind, message, { cause, ...(cause.remedy !== undefined && { remedy: cause.remedy }) });
}
