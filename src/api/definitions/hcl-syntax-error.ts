/** Where a text stops being HCL, as an offset into it, and why. */
export class HclSyntaxError extends Error {
  override readonly name = 'HclSyntaxError';
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}
