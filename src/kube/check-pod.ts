// SPDX-License-Identifier: Apache-2.0
// Checks a pod by the rules of the API server that its fields' types do not express: names, references, volumes, tolerations. Pure.
import { plain } from '../text/quote.ts'
import { checkContainer, checkInit, checkPorts } from './check-container.ts'
import { type ReportProblem, valueAt } from './check-fields.ts'
import { readAmounts } from './check-resources.ts'
import type { FieldPath } from './documents.ts'
import { type Entry, entriesOf, refuseTwice } from './list-entries.ts'
import { isLabel, suggestName } from './object-names.ts'
import { holds, versionRules } from './version.ts'

/** Checks the spec of a pod. `claims` are the names of volumes that a StatefulSet claims. */
export function checkPodSpec(
  spec: Entry,
  path: FieldPath,
  claims: readonly unknown[],
  minor: number,
  report: ReportProblem,
): void {
  const regular = entriesOf(spec.containers, [...path, 'containers'])
  const init = entriesOf(spec.initContainers, [...path, 'initContainers'])
  if (Array.isArray(spec.containers) && spec.containers.length === 0)
    report([...path, 'containers'], 'has no container', 'add one')
  refuseTwice([...init, ...regular], 'name', report)
  const volumes = entriesOf(spec.volumes, [...path, 'volumes'])
  refuseTwice(volumes, 'name', report)
  for (const { entry, at } of volumes) checkVolume(entry, at, report)
  // a StatefulSet also mounts volumes of its volumeClaimTemplates
  const volumeNames = new Set([...volumes.map(({ entry }) => entry.name), ...claims])
  for (const { entry, at } of [...init, ...regular]) checkContainer(entry, at, volumeNames, spec, report)
  for (const { entry, at } of init) checkInit(entry, at, minor, report)
  for (const { entry, at } of regular)
    if (entry.restartPolicy !== undefined && !holds('containerRestartPolicy', minor))
      report(
        [...at, 'restartPolicy'],
        `cannot be given for a regular container before Kubernetes 1.${versionRules.containerRestartPolicy.since}`,
        'give restartPolicy in the spec of the pod; a sidecar belongs in initContainers',
      )
  checkPorts(regular, spec.hostNetwork === true, report)
  if (spec.ephemeralContainers !== undefined)
    report(
      [...path, 'ephemeralContainers'],
      'cannot be given when a pod is created',
      'remove it, and use kubectl debug on the running pod',
    )
  if (spec.dnsPolicy === 'None' && spec.dnsConfig === undefined)
    report([...path, 'dnsPolicy'], 'None needs dnsConfig', 'add dnsConfig with nameservers')
  for (const [name, amount] of readAmounts(spec.overhead))
    if (amount < 0n) report([...path, 'overhead', name], 'is negative', 'give an amount of at least 0')
  if (spec.overhead !== undefined && spec.runtimeClassName === undefined)
    report([...path, 'overhead'], 'is given without runtimeClassName', 'name the RuntimeClass whose overhead it is')
  for (const { entry, at } of entriesOf(spec.tolerations, [...path, 'tolerations'])) checkToleration(entry, at, report)
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
  const medium = valueAt(volume, ['emptyDir', 'medium'])
  if (typeof medium === 'string' && !/^(|Memory|HugePages(-.+)?)$/.test(medium))
    report([...at, 'emptyDir', 'medium'], `is ${medium}`, 'give Memory, HugePages or HugePages-SIZE')
  if ((readAmounts(volume.emptyDir).get('sizeLimit') ?? 0n) < 0n)
    report([...at, 'emptyDir', 'sizeLimit'], 'is negative', 'give an amount of at least 0')
  if (medium === 'Memory' && valueAt(volume, ['emptyDir', 'sizeLimit']) === undefined)
    report(
      [...at, 'emptyDir'],
      'is a tmpfs without sizeLimit: its files count as memory of the containers that write them',
      'add sizeLimit',
      'warning',
    )
}
