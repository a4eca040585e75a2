// SPDX-License-Identifier: Apache-2.0
// Checks containers by the rules of the API server that their fields' types do not express: references, probes, ports. Pure.
import { nearest } from '../text/nearest.ts'
import { plain, quote } from '../text/quote.ts'
import { isRecord, type ReportProblem, valueAt } from './check-fields.ts'
import { checkResources } from './check-resources.ts'
import type { FieldPath } from './documents.ts'
import { type Entry, entriesOf, refuseTwice } from './list-entries.ts'
import { isLabel, isPortName, suggestName } from './object-names.ts'
import { holds } from './version.ts'

/** What variables can have from the pod, by the field that names it. */
const variableSources = {
  'fieldRef.fieldPath': {
    pattern:
      /^(metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['.+'\]|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs))$/,
    known: [
      'metadata.name',
      'metadata.namespace',
      'metadata.uid',
      'spec.nodeName',
      'spec.serviceAccountName',
      'status.hostIP',
      'status.podIP',
      'status.podIPs',
    ],
  },
  'resourceFieldRef.resource': {
    pattern: /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/,
    known: ['limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory', 'limits.ephemeral-storage'],
  },
} as const

const probes = ['livenessProbe', 'readinessProbe', 'startupProbe']

/** Checks a container. `volumes` are the names of the volumes of its pod, whose spec is `spec`. */
export function checkContainer(
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
  else if (
    typeof entry.image === 'string' &&
    !/^[a-z0-9][\w.:/@-]*$/.test(entry.image.replace(/^[^/]*[.:][^/]*\//, ''))
  )
    report([...at, 'image'], 'is not the name of an image', 'write it as registry.example/name:tag', 'warning')
  checkResources(entry.resources, [...at, 'resources'], report)
  const mounts = entriesOf(entry.volumeMounts, [...at, 'volumeMounts'])
  refuseTwice(mounts, 'mountPath', report)
  for (const { entry: mount, at: mountAt } of mounts) {
    if (mount.name !== undefined && !volumes.has(mount.name))
      report([...mountAt, 'name'], `names no volume of the pod: ${plain(mount.name)}`, 'add it to volumes')
    if (typeof mount.mountPath === 'string' && mount.mountPath.includes(':'))
      report([...mountAt, 'mountPath'], 'contains a colon', 'give a path without colons')
    if (typeof mount.subPath === 'string' && /^\/|(^|\/)\.\.(\/|$)/.test(mount.subPath))
      report([...mountAt, 'subPath'], 'leads out of the volume', 'give a relative path without ..')
    if (mount.mountPropagation === 'Bidirectional' && valueAt(entry, ['securityContext', 'privileged']) !== true)
      report(
        [...mountAt, 'mountPropagation'],
        'is Bidirectional for a container without privileges',
        'write HostToContainer',
      )
  }
  const variables = entriesOf(entry.env, [...at, 'env'])
  for (const { entry: variable, at: variableAt } of variables) {
    if (typeof variable.name === 'string' && (variable.name === '' || variable.name.includes('=')))
      report([...variableAt, 'name'], 'is empty or contains =', 'give a name such as LOG_LEVEL')
    if (variable.value !== undefined && variable.value !== '' && variable.valueFrom !== undefined)
      report([...variableAt, 'valueFrom'], 'is given beside value', 'keep one of them')
    for (const [field, values] of Object.entries(variableSources)) {
      const value = valueAt(variable, ['valueFrom', ...field.split('.')])
      if (typeof value === 'string' && !values.pattern.test(value))
        report(
          [...variableAt, 'valueFrom', ...field.split('.')],
          `is ${value}, which a variable cannot have`,
          `write ${nearest(value, values.known) ?? values.known[0]}`,
        )
    }
  }
  for (const name of probes) checkProbe(entry[name], [...at, name], name, entry.ports, report)
  const grace = typeof spec.terminationGracePeriodSeconds === 'number' ? spec.terminationGracePeriodSeconds : 30
  const sleep = valueAt(entry, ['lifecycle', 'preStop', 'sleep', 'seconds'])
  if (typeof sleep === 'number' && sleep > grace)
    report(
      [...at, 'lifecycle', 'preStop', 'sleep', 'seconds'],
      `is above terminationGracePeriodSeconds, ${grace}`,
      `write ${grace}, or raise terminationGracePeriodSeconds`,
    )
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

/** What 0 means in a probe. */
const probeDefaults = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 } as const

function checkProbe(value: unknown, at: FieldPath, name: string, ports: unknown, report: ReportProblem): void {
  if (!isRecord(value)) return
  const { successThreshold, terminationGracePeriodSeconds } = value
  if (name !== 'readinessProbe' && typeof successThreshold === 'number' && successThreshold > 1)
    report([...at, 'successThreshold'], 'is not 1', 'write 1: only a readinessProbe may have more')
  if (name === 'readinessProbe' && terminationGracePeriodSeconds !== undefined)
    report([...at, 'terminationGracePeriodSeconds'], 'cannot be given for a readinessProbe', 'remove it')
  for (const [key, usual] of Object.entries(probeDefaults))
    if (value[key] === 0) report([...at, key], `is 0, which means the default, ${usual}`, 'remove it', 'warning')
  const names = entriesOf(ports, []).map(({ entry }) => plain(entry.name))
  for (const handler of ['httpGet', 'tcpSocket']) {
    const port = valueAt(value, [handler, 'port'])
    if (typeof port === 'string' && !names.includes(port))
      report(
        [...at, handler, 'port'],
        `is ${quote(port)}, the name of no port of the container`,
        `write ${nearest(port, names) ?? names[0] ?? 'the number of the port'}`,
        'warning',
      )
  }
}

/** Checks an init container: only one that restarts always, a sidecar, may have probes and a lifecycle. */
export function checkInit(entry: Entry, at: FieldPath, minor: number, report: ReportProblem): void {
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

/** Checks the ports of the containers of a pod. */
export function checkPorts(
  containers: { entry: Entry; at: FieldPath }[],
  hostNetwork: boolean,
  report: ReportProblem,
): void {
  const hostPorts = new Set<string>()
  for (const { entry, at } of containers) {
    const ports = entriesOf(entry.ports, [...at, 'ports'])
    refuseTwice(
      ports.filter(({ entry: port }) => port.name !== undefined),
      'name',
      report,
    )
    for (const { entry: port, at: portAt } of ports) {
      const { containerPort, name, protocol = 'TCP' } = port
      // 0 means none
      const hostPort = port.hostPort === 0 ? undefined : port.hostPort
      if (typeof hostPort === 'number' && hostPort > 65_535)
        report([...portAt, 'hostPort'], `is ${hostPort}`, 'give a port from 1 to 65535')
      if (typeof name === 'string' && !isPortName(name))
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
