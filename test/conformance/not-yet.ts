/** Scenarios that Vane does not pass yet, and why. One that is here but passes fails, so that the list only shrinks. */
export const NOT_YET: Readonly<Record<string, string>> = {};
