type Labels = Readonly<Record<string, string>>;

/** Whether labels have all that the filters `label` want, and nothing that `label!` names. */
export function fitsLabels(labels: Labels, filters: Readonly<Record<string, readonly string[] | undefined>>): boolean {
  return (
    (filters["label"] ?? []).every((wanted) => hasLabel(labels, wanted)) &&
    !(filters["label!"] ?? []).some((unwanted) => hasLabel(labels, unwanted))
  );
}

/** Whether labels have what a filter wants: `name`, or `name=value`. */
export function hasLabel(labels: Labels, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  const name = equals < 0 ? wanted : wanted.slice(0, equals);
  return Object.hasOwn(labels, name) && (equals < 0 || labels[name] === wanted.slice(equals + 1));
}
