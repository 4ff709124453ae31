/** Lists by key. */

/** `map`'s list at `key`, made if missing. */
export function listAt<Key, Item>(map: Map<Key, Item[]>, key: Key): Item[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}
