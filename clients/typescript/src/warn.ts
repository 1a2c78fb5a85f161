// Faults that are nobody's answer are warnings of the process.

export function warn(what: string, error: unknown): void {
  process.emitWarning(`${what}: ${error instanceof Error ? error.message || error.name : String(error)}`);
}

/** Tells a listener of the user's, whose fault is not ours. */
export async function tell(what: string, listener: () => unknown): Promise<void> {
  try {
    await listener();
  } catch (error) {
    warn(`a listener of ${what} failed`, error);
  }
}
