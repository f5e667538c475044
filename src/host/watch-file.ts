import { type FSWatcher, realpathSync, watch } from "node:fs";
import { clearTimeout, setTimeout } from "node:timers";
import { basename, dirname } from "node:path";

/**
 * Calls when a file may have changed, however it was written: in place, by a rename over it, or behind a symlink. Several changes
 * at once are one call. A file that cannot be watched is left alone.
 */
export function watchFile(path: string, onChange: () => void): Disposable {
  let timer: NodeJS.Timeout | undefined;
  const soon = (): void => {
    clearTimeout(timer);
    timer = setTimeout(onChange, settleMs).unref();
  };
  const watchers = [...new Set([path, targetOf(path)])].flatMap((each) => watchName(each, soon));
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** Its folder is watched, as a file that is replaced is another one. */
function watchName(path: string, onEvent: () => void): FSWatcher[] {
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      if (name === null || name === basename(path)) onEvent();
    });
    return [watcher.on("error", () => watcher.close())];
  } catch {
    return [];
  }
}

function targetOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

const settleMs = 100;
