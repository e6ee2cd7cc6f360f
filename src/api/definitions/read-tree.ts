import type { Path, Problem } from '../../config/problem.ts';
import type { MapNode, Place, Tree } from '../../config/tree.ts';
import type { CheckRequest } from '../../registry/commands.ts';
import { fold } from '../../registry/fold.ts';
import { isOwnCheck, isOwnInstance } from '../../registry/names.ts';
import { checkIds } from '../../registry/service-plans.ts';
import type { DefinedCheck, DefinedService, Definitions } from '../../registry/sources/definitions.ts';
import { serviceRequest } from '../consul/agent-services.ts';
import { checkProblem, checkRequest, isCheckStatus, type ScriptChecks } from '../consul/check-request.ts';
import type { Field } from '../consul/decode.ts';
import { Refusal } from '../consul/refusal.ts';
import { type CheckBody, SERVICE } from '../consul/requests.ts';
import { checkedWeights, checkServiceMeta, isUnspecified, refuseConnect } from '../consul/validate.ts';
import { decodeTree, placeOf, problemAt, type Report, unknownKey } from './decode-tree.ts';
import { FILE_CHECK, FILE_SERVICE, means } from './shapes.ts';

type Spot = Place & { readonly path: Path };

/** What was read; not `sound`: parts of it did not fit and are left out. */
interface Decoded<T> {
  readonly body: T;
  readonly sound: boolean;
}

const SECTIONS = ['service', 'services', 'check', 'checks'];

/**
 * Puts together what several files say, each read as a tree, and looks for everything that is wrong with it. What has
 * problems is left out.
 */
export class DefinitionReader {
  readonly problems: Problem[] = [];
  readonly #scriptChecks: ScriptChecks;
  readonly #services: DefinedService[] = [];
  readonly #checks: DefinedCheck[] = [];
  /** By folded id: where it was defined first. */
  readonly #serviceIds = new Map<string, Spot>();
  readonly #checkIds = new Map<string, Spot>();

  constructor(options: { readonly scriptChecks: ScriptChecks }) {
    this.#scriptChecks = options.scriptChecks;
  }

  get definitions(): Definitions {
    return { services: this.#services, checks: this.#checks };
  }

  /** One file. */
  read(tree: Tree): void {
    if (tree.kind !== 'map') {
      if (tree.kind === 'scalar' && tree.value === null) return;
      this.#report({ ...tree.place, path: [] }, 'expected a mapping with service, services, check or checks');
      return;
    }
    for (const [key, { keyPlace, value }] of tree.entries) {
      const section = SECTIONS.find((each) => each === key.toLowerCase());
      const one = section === 'service' || section === 'services' ? this.#service : this.#check;
      if (section === undefined) {
        this.problems.push(problemAt({ ...keyPlace, path: [key] }, ...unknownKey(key, SECTIONS)));
      } else if (section.endsWith('s')) {
        this.#each(value, one);
      } else if (value.kind === 'map') {
        one.call(this, value);
      } else {
        this.#report({ ...value.place, path: value.path }, 'expected a mapping');
      }
    }
  }

  #each(list: Tree, one: (node: MapNode) => void): void {
    if (list.kind === 'scalar' && list.value === null) return;
    if (list.kind !== 'list') this.#report({ ...list.place, path: list.path }, 'expected a list');
    for (const item of list.kind === 'list' ? list.items : []) {
      if (item.kind === 'map') one.call(this, item);
      else this.#report({ ...item.place, path: item.path }, 'expected a mapping');
    }
  }

  #service(node: MapNode): void {
    const before = this.problems.length;
    const { body } = this.#decode(node, FILE_SERVICE);
    const at = (field: string) => placeOf(node, field);
    if (body.Name === '') this.#report(at('Name'), 'a service needs a name');
    if (isUnspecified(body.Address)) this.#report(at('Address'), 'is no address that anybody can connect to');
    this.#unless(at('Weights'), () => checkedWeights(body.Weights));
    this.#unless(at('Meta'), () => checkServiceMeta(body.Meta));
    this.#unless(at('Proxy'), () => refuseConnect(body.Proxy, body.Connect));
    const checks = checkNodes(node).flatMap((each) => this.#serviceCheck(each) ?? []);
    if (this.problems.length > before) return;
    this.#unless({ ...node.place, path: node.path }, () => {
      const { Check: _check, Checks: _checks, ...rest } = body;
      const service = serviceRequest({ ...SERVICE.zero, ...rest });
      const defined: DefinedService = {
        file: node.place.file,
        service,
        checks: checks.map(({ request }) => request),
      };
      const own = isOwnInstance(service.id) && 'is the id of the registry itself';
      if (!this.#take(this.#serviceIds, service.id, at(body.ID === '' ? 'Name' : 'ID'), own)) return;
      for (const [i, { id }] of checkIds(defined).entries()) {
        this.#take(this.#checkIds, id, checks[i]?.at ?? { ...node.place, path: node.path }, ownCheck(id));
      }
      this.#services.push(defined);
    });
  }

  #serviceCheck(node: MapNode): { readonly request: CheckRequest; readonly at: Spot } | undefined {
    // What does not fit has been told with the service.
    const decoded = this.#decode(node, FILE_CHECK, () => {});
    const { body } = decoded;
    const request = this.#checkRequest(node, decoded, body.ID);
    return request && { request, at: placeOf(node, body.ID === '' ? 'Name' : 'ID') };
  }

  #check(node: MapNode): void {
    const before = this.problems.length;
    const decoded = this.#decode(node, FILE_CHECK);
    const { body } = decoded;
    const id = body.ID === '' ? body.Name : body.ID;
    const { file } = node.place;
    if (id === '') this.#report({ ...node.place, path: node.path }, 'a check needs an id or a name');
    const request = this.#checkRequest(node, decoded, id);
    if (!request || this.problems.length > before) return;
    if (!this.#take(this.#checkIds, id, placeOf(node, body.ID === '' ? 'Name' : 'ID'), ownCheck(id))) return;
    const at = problemAt(placeOf(node, 'ServiceID'), '');
    this.#checks.push({ file, check: { ...request, id, serviceId: body.ServiceID }, at });
  }

  #checkRequest(node: MapNode, { body, sound }: Decoded<CheckBody>, id: string): CheckRequest | undefined {
    const before = this.problems.length;
    const spot = { ...node.place, path: node.path };
    if (body.Status !== '' && !isCheckStatus(body.Status)) {
      this.#report(placeOf(node, 'Status'), 'expected passing, warning or critical');
    }
    const isScript = body.ScriptArgs !== null && body.ScriptArgs.length > 0;
    if (isScript && this.#scriptChecks === 'off') {
      this.#report(
        placeOf(node, 'ScriptArgs'),
        'programs may not be run by checks here: registry.script-checks is off',
        'set it to files',
      );
    }
    // What did not fit may be all that is missing.
    const problem = sound ? checkProblem(body) : undefined;
    if (problem !== undefined) this.#report(spot, problem);
    if (!sound || this.problems.length > before) return undefined;
    const status = isCheckStatus(body.Status) ? body.Status : undefined;
    return this.#unless(spot, () => checkRequest(body, id, status, 'api'));
  }

  #decode<T>(
    node: MapNode,
    shape: Field<T>,
    report: Report = (problem) => this.problems.push(problem),
  ): Decoded<T> {
    let sound = true;
    const value = decodeTree(node, shape, (problem) => {
      sound = false;
      report(problem);
    });
    return { body: shape.read(value, ''), sound };
  }

  /** False when somebody else has the id, which is then reported. */
  #take(taken: Map<string, Spot>, id: string, spot: Spot, own: string | false): boolean {
    const earlier = taken.get(fold(id));
    const problem =
      own || (earlier && `the id ${JSON.stringify(id)} is taken: ${earlier.file}:${earlier.line}`);
    if (problem) this.#report(spot, problem);
    else taken.set(fold(id), spot);
    return !problem;
  }

  /** Reports what the API would refuse, in its words; undefined then. */
  #unless<T>(spot: Spot, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#report(spot, error.message);
      return undefined;
    }
  }

  #report(spot: Spot, message: string, suggestion?: string): void {
    this.problems.push(problemAt(spot, message, suggestion));
  }
}

function ownCheck(id: string): string | false {
  return isOwnCheck(id) && 'is the id of a check of the registry itself';
}

/** `check` first, then `checks`, as they are numbered. An empty one is none, as in Consul. */
function checkNodes(node: MapNode): readonly MapNode[] {
  const of = (field: string) => [...node.entries].find(([key]) => means(key, field))?.[1].value;
  const single = of('Check');
  const several = of('Checks');
  return [
    ...(single?.kind === 'map' && single.entries.size > 0 ? [single] : []),
    ...(several?.kind === 'list' ? several.items.filter((item) => item.kind === 'map') : []),
  ];
}
