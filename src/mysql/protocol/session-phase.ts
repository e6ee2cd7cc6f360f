import {
  CLIENT_COMPRESS,
  CLIENT_DEPRECATE_EOF,
  CLIENT_OPTIONAL_RESULTSET_METADATA,
  CLIENT_ZSTD,
  SERVER_MORE_RESULTS_EXISTS,
  SERVER_STATUS_CURSOR_EXISTS,
  SERVER_STATUS_IN_TRANS,
} from './capabilities.ts';
import { lengthEncoded, type Packet, PacketScanner } from './packets.ts';

/**
 * What a session is doing. `opaque`: it is encrypted or compressed, or does what cannot be followed. `quit`: the
 * client has said goodbye.
 */
export type SessionPhase = 'login' | 'idle' | 'transaction' | 'busy' | 'opaque' | 'quit';

const COM_QUIT = 0x01;
const COM_FIELD_LIST = 0x04;
const COM_STATISTICS = 0x09;
const COM_CHANGE_USER = 0x11;
const COM_BINLOG_DUMP = 0x12;
const COM_TABLE_DUMP = 0x13;
const COM_STMT_PREPARE = 0x16;
const COM_STMT_SEND_LONG_DATA = 0x18;
const COM_STMT_CLOSE = 0x19;
const COM_STMT_FETCH = 0x1c;
const COM_BINLOG_DUMP_GTID = 0x1e;

const UNANSWERED: ReadonlySet<number> = new Set([COM_STMT_SEND_LONG_DATA, COM_STMT_CLOSE]);
/** Streams of a server's log: they end with the connection. */
const ENDLESS: ReadonlySet<number> = new Set([COM_BINLOG_DUMP, COM_TABLE_DUMP, COM_BINLOG_DUMP_GTID]);

/** Commands that a client may send before it has the answers; more is not followed. */
const MOST_PENDING = 1_000;

const OK = 0x00;
const LOCAL_INFILE = 0xfb;
const EOF = 0xfe;
const ERR = 0xff;
/** A longer packet that begins as EOF does is a row. */
const EOF_SHORTER_THAN = 9;

/** Where the answer to the first pending command is. `definitions`: so many packets are to come, and then it is over. */
type Answer =
  | { readonly at: 'start' | 'columns' | 'rows' | 'infile' }
  | { readonly at: 'definitions'; readonly left: number };

const START: Answer = { at: 'start' };

/**
 * Follows a session by the packets of both sides, which are fed to it as they pass, to know at any moment whether it
 * could be ended without harm. Pure. Where it is not certain it says `busy` or `opaque`, never `idle`.
 */
export class SessionFollower {
  readonly #client = new PacketScanner((packet) => this.#onClient(packet));
  readonly #server = new PacketScanner(
    (packet) => this.#onServer(packet),
    // Descriptions of columns, and rows.
    (first) => first < EOF && (this.#answer.at === 'columns' || this.#answer.at === 'rows'),
  );
  readonly #deprecateEof: boolean;
  readonly #compressed: boolean;
  #opaque: boolean;
  #authenticating = true;
  #quit = false;
  #inTransaction = false;
  #farewell = false;
  readonly #pending: number[] = [];
  #answer: Answer = START;

  /**
   * @param capabilities those that client and server both have
   * @param encrypted the client has asked for TLS
   */
  constructor(capabilities: number, encrypted: boolean) {
    this.#deprecateEof = (capabilities & CLIENT_DEPRECATE_EOF) !== 0;
    this.#compressed = (capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD)) !== 0;
    // Without descriptions of columns a result begins as an OK packet does.
    this.#opaque = encrypted || (capabilities & CLIENT_OPTIONAL_RESULTSET_METADATA) !== 0;
  }

  get phase(): SessionPhase {
    if (this.#opaque) return 'opaque';
    if (this.#quit) return 'quit';
    if (this.#authenticating) return 'login';
    if (this.#pending.length > 0 || this.#client.isWithin || this.#server.isWithin) return 'busy';
    return this.#inTransaction ? 'transaction' : 'idle';
  }

  /** The server has said something unasked: it has told the client already why it ends. */
  get hasFarewell(): boolean {
    return this.#farewell;
  }

  fromClient(bytes: Buffer): void {
    if (!this.#opaque) this.#client.push(bytes);
  }

  fromServer(bytes: Buffer): void {
    if (!this.#opaque) this.#server.push(bytes);
  }

  #onClient({ sequence, head, continues }: Packet): void {
    // The rest of a command, or the file that the server has asked for.
    if (continues || sequence !== 0 || this.#answer.at === 'infile') return;
    const command = head[0] ?? 0;
    this.#farewell = false;
    if (command === COM_QUIT) this.#quit = true;
    else if (!UNANSWERED.has(command)) this.#pending.push(command);
    if (this.#pending.length > MOST_PENDING) this.#opaque = true;
  }

  #onServer({ length, head, continues }: Packet): void {
    if (continues || this.#opaque) return;
    const first = head[0] ?? 0;
    const [command] = this.#pending;
    if (this.#authenticating) {
      if (first === OK) this.#onLoggedIn(head);
    } else if (command === undefined || ENDLESS.has(command)) {
      // Unasked, or more of what never ends.
      this.#farewell = command === undefined;
    } else if (first === ERR) {
      if (!isProgress(head)) this.#answered();
    } else if (this.#answer.at === 'start') {
      this.#onStart(command, first, length, head);
    } else if (this.#answer.at === 'infile') {
      this.#onStatus(statusOfOk(head));
    } else if (this.#answer.at === 'definitions') {
      this.#expectDefinitions(this.#answer.left - 1);
    } else {
      this.#onRows(first, length, head);
    }
  }

  #onLoggedIn(head: Buffer): void {
    this.#authenticating = false;
    this.#inTransaction = isInTransaction(statusOfOk(head));
    // What follows is packed otherwise.
    this.#opaque ||= this.#compressed;
    if (this.#pending[0] === COM_CHANGE_USER) this.#answered();
  }

  #onStart(command: number, first: number, length: number, head: Buffer): void {
    if (command === COM_STATISTICS) {
      this.#answered();
    } else if (command === COM_CHANGE_USER && first !== OK) {
      this.#authenticating = true;
    } else if (command === COM_STMT_PREPARE && first === OK) {
      this.#onPrepared(head);
    } else if (command === COM_FIELD_LIST || command === COM_STMT_FETCH) {
      this.#answer = { at: 'rows' };
      this.#onRows(first, length, head);
    } else if (first === OK) {
      this.#onStatus(statusOfOk(head));
    } else if (first === LOCAL_INFILE) {
      this.#answer = { at: 'infile' };
    } else if (first === EOF && length < EOF_SHORTER_THAN) {
      this.#onStatus(statusOfEof(head));
    } else {
      // Without EOF packets nothing stands between the columns and the rows.
      this.#answer = { at: this.#deprecateEof ? 'rows' : 'columns' };
    }
  }

  #onRows(first: number, length: number, head: Buffer): void {
    if (first !== EOF) return;
    if (this.#deprecateEof) {
      // An OK packet in disguise; a row that begins so is 16 MiB long and more.
      if (length < 0xffffff) this.#onStatus(statusOfOk(head));
      return;
    }
    if (length >= EOF_SHORTER_THAN) return;
    const status = statusOfEof(head);
    const rowsFollow = this.#answer.at === 'columns' && (status & SERVER_STATUS_CURSOR_EXISTS) === 0;
    if (rowsFollow) this.#answer = { at: 'rows' };
    else this.#onStatus(status);
  }

  /** The answer to a prepare: its id, and how many definitions of columns and of parameters follow. */
  #onPrepared(head: Buffer): void {
    const eof = this.#deprecateEof ? 0 : 1;
    const packets = (count: number) => (count === 0 ? 0 : count + eof);
    this.#expectDefinitions(
      head.length < 9 ? 0 : packets(head.readUInt16LE(5)) + packets(head.readUInt16LE(7)),
    );
  }

  #expectDefinitions(left: number): void {
    if (left === 0) this.#answered();
    else this.#answer = { at: 'definitions', left };
  }

  #onStatus(status: number): void {
    this.#inTransaction = isInTransaction(status);
    if ((status & SERVER_MORE_RESULTS_EXISTS) === 0) this.#answered();
    else this.#answer = START;
  }

  #answered(): void {
    this.#pending.shift();
    this.#answer = START;
  }
}

/** MariaDB tells how far a long command has come by errors of this number; its answer is still to come. */
function isProgress(head: Buffer): boolean {
  return head.length >= 3 && head.readUInt16LE(1) === 0xffff;
}

function isInTransaction(status: number): boolean {
  return (status & SERVER_STATUS_IN_TRANS) !== 0;
}

/** Behind the numbers of rows and of the last insert. Unreadable: as good as in a transaction. */
function statusOfOk(head: Buffer): number {
  const rows = lengthEncoded(head, 1);
  const id = rows && lengthEncoded(head, rows.next);
  return id && head.length >= id.next + 2 ? head.readUInt16LE(id.next) : SERVER_STATUS_IN_TRANS;
}

/** Behind the number of warnings. */
function statusOfEof(head: Buffer): number {
  return head.length >= 5 ? head.readUInt16LE(3) : SERVER_STATUS_IN_TRANS;
}
