// Save a table as a csv file, made in the page.

import type { Value } from "./types";

export const cell = (value: Value | undefined): string => {
  const text = value === null || value === undefined || value !== value ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
};

export const table = (head: string[], rows: (Value | undefined)[][]): string =>
  [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

export function save(name: string, text: string): void {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  anchor.download = name.replace(/[^\w.-]+/g, "_");
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10_000);
}
