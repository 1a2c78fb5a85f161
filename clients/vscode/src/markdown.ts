// Texts of others inside our Markdown.

/** A block that nothing in the text can end. */
export function fenced(text: string, language = ""): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text.replace(/\n$/, "")}\n${fence}`;
}

/** One line of it, as code. */
export function code(text: string): string {
  const line = text.replace(/\s+/g, " ").trim().replaceAll("`", "ˋ");
  return line === "" ? "" : `\`${line}\``;
}

/** A text that is to be read as it stands. */
export function plain(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*[\]<>]|\b_|_\b|^[#+-]/g, "\\$&");
}

export function json(value: unknown): string {
  return JSON.stringify(value ?? null, null, 2);
}
