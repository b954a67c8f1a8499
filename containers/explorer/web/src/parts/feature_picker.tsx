// Choose one of thousands of features by words of its name or of its sentence.

import { useId, useMemo, useState } from "preact/hooks";
import { textOf, type Texts } from "../features";

const SHOWN = 40;

export function FeaturePicker({ names, texts, value, pick, label }: { names: string[]; texts: Texts | null; value: string; pick(name: string): void; label: string }) {
  const [said, say] = useState<string | null>(null);
  const list = useId();
  const searched = useMemo(() => names.map((name) => `${name} ${textOf(texts, name).sentence}`.toLowerCase()), [names, texts]);
  const found = useMemo(() => {
    const wanted = (said ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    return names.filter((_, at) => wanted.every((word) => searched[at]?.includes(word))).slice(0, SHOWN);
  }, [said, names, searched]);
  const type = (text: string) => {
    say(text);
    if (names.includes(text)) { pick(text); say(null); }
  };
  return (
    <label class="picker">{label} <input type="search" list={list} value={said ?? value} placeholder="words of its name or sentence" onInput={(event) => type(event.currentTarget.value)}
      onKeyDown={(event) => { if (event.key === "Enter" && found[0]) { pick(found[0]); say(null); } }} onBlur={() => say(null)} />
      <datalist id={list}>{said !== null && found.map((name) => <option key={name} value={name}>{textOf(texts, name).sentence}</option>)}</datalist>
    </label>
  );
}
