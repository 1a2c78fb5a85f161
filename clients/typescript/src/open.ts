// What a daemon of a later version may send stays readable.

/** One of the values that are known here, or another. */
export type Open<Known extends string> = Known | (string & {});

/** Stands for every string that is not known here. As the value of an enum it is apart from all that are. */
declare enum Another {
  Value = "",
}

/** A variant that is not known here. Comparing its tag with a known one rules it out, so that known ones have types. */
export type Unknown<Tag extends string> = { [tag in Tag]: Another } & { [field: string]: unknown };
