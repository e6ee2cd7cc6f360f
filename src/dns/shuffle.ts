/**
 * The items in random order, drawn as they are asked for: whoever needs three of ten thousand pays for three
 * draws. `random` is at least 0 and less than 1.
 */
export function* shuffled<T extends object>(items: readonly T[], random: () => number): Generator<T> {
  const rest = items.slice();
  while (rest.length > 0) {
    const at = rest.length === 1 ? 0 : Math.floor(random() * rest.length);
    const drawn = rest[at];
    const last = rest.pop();
    if (drawn === undefined || last === undefined) return;
    if (at < rest.length) rest[at] = last;
    yield drawn;
  }
}
