// SPDX-License-Identifier: Apache-2.0
// Checks a pod by the rules of the API server that its fields' types do not express: names, references, containers, probes. Pure.
import { plain } from '../text/quote.ts'
import { isRecord, type ReportProblem, valueAt } from './check-fields.ts'
import { checkResources, readAmounts } from './check-resources.ts'
import type { FieldPath } from './documents.ts'
import { holds } from './version.ts'

type Entry = { readonly [key: string]: unknown }

const labelPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/** Returns true for a name of at most 63 lower-case letters, digits and hyphens. */
export function isLabel(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 63 && labelPattern.test(value)
}

/** Returns true for a name of labels with dots between them. */
export function isSubdomain(value: unknown, most = 253): boolean {
  return typeof value === 'string' && value.length <= most && value.split('.').every((part) => labelPattern.test(part))
}

/** Returns a name that is valid, made from one that is not. */
export function suggestName(name: string): string {
  const valid = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return valid.slice(0, 63) || 'app'
}

/** Returns the entries of a list that are maps, with their paths. */
export function entriesOf(value: unknown, path: FieldPath): { entry: Entry; at: FieldPath }[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((entry, i) => (isRecord(entry) ? [{ entry, at: [...path, i] }] : []))
}

/** Reports each entry whose key occurs in an earlier entry. */
function refuseTwice(entries: { entry: Entry; at: FieldPath }[], key: string, report: ReportProblem): void {
  const seen = new Set<unknown>()
  for (const { entry, at } of entries) {
    const value = entry[key]
    if (value !== undefined && seen.has(value))
      report([...at, key], `is ${plain(value)}, as in an entry above`, 'give each entry another')
    seen.add(value)
  }
}

/** Checks the spec of a pod. */
export function checkPodSpec(spec: Entry, path: FieldPath, minor: number, report: ReportProblem): void {
  const regular = entriesOf(spec.containers, [...path, 'containers'])
  const init = entriesOf(spec.initContainers, [...path, 'initContainers'])
  if (Array.isArray(spec.containers) && spec.containers.length === 0)
    report([...path, 'containers'], 'has no container', 'add one')
  refuseTwice([...init, ...regular], 'name', report)
  const volumes = entriesOf(spec.volumes, [...path, 'volumes'])
  refuseTwice(volumes, 'name', report)
  for (const { entry, at } of volumes) checkVolume(entry, at, report)
  const volumeNames = new Set(volumes.map(({ entry }) => entry.name))
  for (const { entry, at } of [...init, ...regular]) checkContainer(entry, at, volumeNames, spec, report)
  for (const { entry, at } of init) checkInit(entry, at, minor, report)
  for (const { entry, at } of regular)
    if (entry.restartPolicy !== undefined && !holds('containerRestartPolicy', minor))
      report(
        [...at, 'restartPolicy'],
        `cannot be given for a regular container before Kubernetes 1.${35}`,
        'give restartPolicy in the spec of the pod; a sidecar belongs in initContainers',
      )
  checkPorts(regular, spec.hostNetwork === true, report)
  if (spec.ephemeralContainers !== undefined)
    report(
      [...path, 'ephemeralContainers'],
      'cannot be given when a pod is created',
      'remove it, and use kubectl debug on the running pod',
    )
  if (spec.activeDeadlineSeconds === 0)
    report([...path, 'activeDeadlineSeconds'], 'is 0', 'give at least 1, or remove it')
  if (spec.dnsPolicy === 'None' && spec.dnsConfig === undefined)
    report([...path, 'dnsPolicy'], 'None needs dnsConfig', 'add dnsConfig with nameservers')
  for (const [name, amount] of readAmounts(spec.overhead))
    if (amount < 0n) report([...path, 'overhead', name], 'is negative', 'give an amount of at least 0')
  if (spec.overhead !== undefined && spec.runtimeClassName === undefined)
    report([...path, 'overhead'], 'is given without runtimeClassName', 'name the RuntimeClass whose overhead it is')
  for (const { entry, at } of entriesOf(spec.tolerations, [...path, 'tolerations'])) checkToleration(entry, at, report)
  for (const { entry, at } of entriesOf(spec.topologySpreadConstraints, [...path, 'topologySpreadConstraints']))
    if (typeof entry.maxSkew === 'number' && entry.maxSkew < 1)
      report([...at, 'maxSkew'], 'is below 1', 'give at least 1')
}

function checkToleration(entry: Entry, at: FieldPath, report: ReportProblem): void {
  if (entry.operator === 'Exists' && entry.value !== undefined)
    report([...at, 'value'], 'is given with the operator Exists', 'remove it, or use the operator Equal')
  if (entry.key === undefined && entry.operator !== 'Exists')
    report([...at, 'operator'], 'is not Exists, although no key is given', 'write operator: Exists, or add a key')
  if (entry.tolerationSeconds !== undefined && entry.effect !== 'NoExecute')
    report([...at, 'tolerationSeconds'], 'is given for another effect than NoExecute', 'write effect: NoExecute')
}

function checkVolume(volume: Entry, at: FieldPath, report: ReportProblem): void {
  if (volume.name !== undefined && !isLabel(volume.name))
    report([...at, 'name'], 'is not a valid name', `write ${suggestName(plain(volume.name))}`)
  const kinds = Object.keys(volume).filter((key) => key !== 'name')
  if (kinds.length > 1) report(at, `has several sources: ${kinds.join(', ')}`, 'keep one of them')
  const medium = valueAt(volume, ['emptyDir', 'medium'])
  if (typeof medium === 'string' && !/^(|Memory|HugePages(-.+)?)$/.test(medium))
    report([...at, 'emptyDir', 'medium'], `is ${medium}`, 'give Memory, HugePages or HugePages-SIZE')
  if (medium === 'Memory' && valueAt(volume, ['emptyDir', 'sizeLimit']) === undefined)
    report(
      [...at, 'emptyDir'],
      'is a tmpfs without sizeLimit: its files count as memory of the containers that write them',
      'add sizeLimit',
      'warning',
    )
}

const probes = ['livenessProbe', 'readinessProbe', 'startupProbe']

function checkContainer(
  entry: Entry,
  at: FieldPath,
  volumes: ReadonlySet<unknown>,
  spec: Entry,
  report: ReportProblem,
): void {
  const { name } = entry
  if (typeof name === 'string' && !isLabel(name))
    report([...at, 'name'], `"${name}" is not a valid name`, `write ${suggestName(name)}`)
  if (typeof entry.image === 'string' && (entry.image === '' || entry.image.trim() !== entry.image))
    report([...at, 'image'], entry.image === '' ? 'is empty' : 'has spaces at its ends', 'give the name of an image')
  checkResources(entry.resources, [...at, 'resources'], report)
  const mounts = entriesOf(entry.volumeMounts, [...at, 'volumeMounts'])
  refuseTwice(mounts, 'mountPath', report)
  for (const { entry: mount, at: mountAt } of mounts) {
    // a StatefulSet mounts volumes of its volumeClaimTemplates, which are not in the spec of the pod
    if (mount.name !== undefined && !volumes.has(mount.name) && spec.volumeClaims !== true)
      report([...mountAt, 'name'], `names no volume of the pod: ${plain(mount.name)}`, 'add it to volumes')
    if (typeof mount.mountPath === 'string' && mount.mountPath.includes(':'))
      report([...mountAt, 'mountPath'], 'contains a colon', 'give a path without colons')
    if (typeof mount.subPath === 'string' && /^\/|(^|\/)\.\.(\/|$)/.test(mount.subPath))
      report([...mountAt, 'subPath'], 'leads out of the volume', 'give a relative path without ..')
  }
  const variables = entriesOf(entry.env, [...at, 'env'])
  for (const { entry: variable, at: variableAt } of variables) {
    if (typeof variable.name === 'string' && (variable.name === '' || variable.name.includes('=')))
      report([...variableAt, 'name'], 'is empty or contains =', 'give a name such as LOG_LEVEL')
    if (variable.value !== undefined && variable.value !== '' && variable.valueFrom !== undefined)
      report([...variableAt, 'valueFrom'], 'is given beside value', 'keep one of them')
  }
  for (const name of probes) checkProbe(entry[name], [...at, name], name, report)
  const security = isRecord(entry.securityContext) ? entry.securityContext : {}
  if (security.privileged === true && security.allowPrivilegeEscalation === false)
    report(
      [...at, 'securityContext', 'allowPrivilegeEscalation'],
      'is false for a privileged container',
      'remove privileged: true, or allowPrivilegeEscalation',
    )
  const resized = entriesOf(entry.resizePolicy, [...at, 'resizePolicy'])
  refuseTwice(resized, 'resourceName', report)
}

function checkProbe(value: unknown, at: FieldPath, name: string, report: ReportProblem): void {
  if (!isRecord(value)) return
  const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter((key) => value[key] !== undefined)
  if (handlers.length === 0) report(at, 'does not say how to probe', 'add exec, httpGet, tcpSocket or grpc')
  if (handlers.length > 1) report(at, `has several handlers: ${handlers.join(', ')}`, 'keep one of them')
  if (name !== 'readinessProbe' && typeof value.successThreshold === 'number' && value.successThreshold !== 1)
    report([...at, 'successThreshold'], 'is not 1', `write 1: only a readinessProbe may have more`)
  for (const key of ['timeoutSeconds', 'periodSeconds', 'failureThreshold'])
    if (value[key] === 0) report([...at, key], 'is 0', 'give at least 1')
}

/** Checks an init container: only one that restarts always, a sidecar, may have probes and a lifecycle. */
function checkInit(entry: Entry, at: FieldPath, minor: number, report: ReportProblem): void {
  const { restartPolicy } = entry
  if (restartPolicy === 'Always') return
  if (restartPolicy !== undefined && !holds('containerRestartPolicy', minor))
    report([...at, 'restartPolicy'], `is ${plain(restartPolicy)}`, 'write Always for a sidecar, or remove it')
  for (const name of [...probes, 'lifecycle'])
    if (entry[name] !== undefined)
      report(
        [...at, name],
        'cannot be given for an init container',
        'remove it, or add restartPolicy: Always for a sidecar',
      )
}

function checkPorts(containers: { entry: Entry; at: FieldPath }[], hostNetwork: boolean, report: ReportProblem): void {
  const hostPorts = new Set<string>()
  for (const { entry, at } of containers) {
    const ports = entriesOf(entry.ports, [...at, 'ports'])
    refuseTwice(
      ports.filter(({ entry: port }) => port.name !== undefined),
      'name',
      report,
    )
    for (const { entry: port, at: portAt } of ports) {
      const { containerPort, hostPort, name, protocol = 'TCP' } = port
      for (const [key, number] of [['containerPort', containerPort] as const, ['hostPort', hostPort] as const])
        if (typeof number === 'number' && (number < 1 || number > 65_535))
          report([...portAt, key], `is ${number}`, 'give a port from 1 to 65535')
      if (typeof name === 'string' && !(name.length <= 15 && labelPattern.test(name) && /[a-z]/.test(name)))
        report(
          [...portAt, 'name'],
          'is not a valid name of a port',
          'give at most 15 lower-case letters, digits and hyphens',
        )
      if (hostNetwork && hostPort !== undefined && hostPort !== containerPort)
        report(
          [...portAt, 'hostPort'],
          'differs from containerPort with hostNetwork',
          'give the same port, or remove it',
        )
      const key = `${plain(hostPort)}/${plain(protocol)}/${plain(port.hostIP ?? '')}`
      if (hostPort !== undefined && hostPorts.has(key))
        report([...portAt, 'hostPort'], 'is used by another port of the pod', 'give each port another')
      if (hostPort !== undefined) hostPorts.add(key)
    }
  }
}
