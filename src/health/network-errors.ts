import { getSystemErrorMessage } from 'node:util';

/** What the system said, in its own lower-case words: `connection refused`, `no such host`. */
export function systemWords(error: Error): string {
  const { code, errno, syscall, message }: NodeJS.ErrnoException = innermost(error);
  if (syscall === 'getaddrinfo') return code === 'EAI_AGAIN' ? 'server misbehaving' : 'no such host';
  if (code === 'EHOSTUNREACH') return 'no route to host';
  if (errno !== undefined) return getSystemErrorMessage(errno) ?? message;
  return message;
}

/** The same as HAProxy shows it: `Connection refused`. */
export function capitalWords(error: Error): string {
  const words = systemWords(error);
  return `${words.slice(0, 1).toUpperCase()}${words.slice(1)}`;
}

/** Why a connection could not be opened, in the words of Go's `net` package, which Consul's outputs have. */
export function dialWords(error: Error, host: string, port: number): string {
  const { address, syscall }: NodeJS.ErrnoException & { address?: string } = innermost(error);
  if (syscall === 'getaddrinfo') return `dial tcp: lookup ${host}: ${systemWords(error)}`;
  return `dial tcp ${hostPort(address ?? host, port)}: connect: ${systemWords(error)}`;
}

/** Whether the error came from the system rather than from this program or a library. */
export function isSystemError(error: Error): boolean {
  const { errno }: NodeJS.ErrnoException = innermost(error);
  return errno !== undefined;
}

/** `10.0.0.1:80`, `[::1]:80`. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** With several addresses to try Node rejects with all their errors; the last tells as much as any. */
function innermost(error: Error): Error {
  if (!(error instanceof AggregateError)) return error;
  const last: unknown = error.errors.at(-1);
  return last instanceof Error ? last : error;
}
