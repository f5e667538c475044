/** A controller that a signal aborts too; disposing it lets go of the signal. */
export function linkedAbort(signal: AbortSignal): AbortController & Disposable {
  const controller = new AbortController();
  const follow = (): void => controller.abort(signal.reason);
  if (signal.aborted) follow();
  else signal.addEventListener("abort", follow, { once: true });
  return Object.assign(controller, { [Symbol.dispose]: () => signal.removeEventListener("abort", follow) });
}
