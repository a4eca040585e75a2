// SPDX-License-Identifier: Apache-2.0
// Checks an object around its pods by the rules of the API server: metadata, labels, selectors, restart policies, schedules. Pure.
import { plain, quote } from '../text/quote.ts'
import { isRecord, type ReportProblem, valueAt } from './check-fields.ts'
import type { FieldPath } from './documents.ts'
import type { ManifestKind } from './fields.ts'
import { isLabel, isSubdomain, suggestName } from './object-names.ts'
import { systemPriorities } from './pod.ts'

type Entry = { readonly [key: string]: unknown }

const valuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/

/** Returns true for the key of a label: a name of at most 63 characters, with a domain before it if there is a slash. */
function isLabelKey(key: string): boolean {
  const parts = key.split('/')
  const name = parts.pop()!
  return (
    name !== '' &&
    name.length <= 63 &&
    valuePattern.test(name) &&
    (parts.length === 0 || (parts.length === 1 && isSubdomain(parts[0])))
  )
}

function checkLabels(labels: unknown, path: FieldPath, report: ReportProblem): void {
  if (!isRecord(labels)) return
  for (const [key, value] of Object.entries(labels)) {
    if (!isLabelKey(key)) report([...path, key], 'is not a valid key of a label', 'write NAME or DOMAIN/NAME')
    if (typeof value === 'string' && (value.length > 63 || !valuePattern.test(value)))
      report(
        [...path, key],
        'is not a valid value of a label',
        'give at most 63 letters, digits, and - _ . between them',
      )
  }
}

/** Checks name, namespace and labels of an object. */
export function checkMetadata(
  metadata: unknown,
  path: FieldPath,
  { maxName = 253 }: ManifestKind,
  report: ReportProblem,
): void {
  if (!isRecord(metadata)) return
  const { name, generateName, namespace } = metadata
  if ((name === undefined || name === '') && generateName === undefined)
    report([...path, 'name'], 'is missing', 'add name, or generateName')
  else if (typeof name === 'string' && name !== '' && !isSubdomain(name, maxName))
    report(
      [...path, 'name'],
      name.length > maxName ? `has more than ${maxName} characters` : `"${name}" is not a valid name`,
      `write ${suggestName(name).slice(0, maxName)}`,
    )
  if (typeof namespace === 'string' && !isLabel(namespace))
    report([...path, 'namespace'], `"${namespace}" is not a valid namespace`, `write ${suggestName(namespace)}`)
  if (typeof generateName === 'string' && !isSubdomain(`${generateName.replace(/[-.]$/, '')}`))
    report(
      [...path, 'generateName'],
      `"${generateName}" does not begin a valid name`,
      `write ${suggestName(generateName)}-`,
    )
  checkLabels(metadata.labels, [...path, 'labels'], report)
  const annotations = isRecord(metadata.annotations) ? Object.keys(metadata.annotations) : []
  for (const key of annotations)
    if (!isLabelKey(key.toLowerCase()))
      report([...path, 'annotations', key], 'is not a valid key of an annotation', 'write NAME or DOMAIN/NAME')
}

/** Checks what is around the spec of the pods, whose path is `pod`. */
export function checkWorkload(object: Entry, kind: string, facts: ManifestKind, report: ReportProblem): void {
  const pod = facts.pod
  if (pod === undefined) return
  const policy = valueAt(object, [...pod, 'restartPolicy'])
  if (facts.restart && !facts.restart.includes(typeof policy === 'string' ? policy : 'Always'))
    report(
      [...pod, 'restartPolicy'],
      policy === undefined
        ? `is Always by default, which a ${kind} cannot have`
        : `is ${plain(policy)}, which a ${kind} cannot have`,
      `write ${facts.restart.join(' or ')}${facts.restart[0] === 'Always' ? ', or use a Job' : ''}`,
    )
  if (pod.length > 1)
    checkLabels(
      valueAt(object, [...pod.slice(0, -1), 'metadata', 'labels']),
      [...pod.slice(0, -1), 'metadata', 'labels'],
      report,
    )
  if (facts.apiVersion === 'apps/v1') checkSelector(object, report)
  if (kind === 'Deployment') checkRollout(object, report)
  if (kind === 'Job' || kind === 'CronJob')
    checkJob(object, kind === 'Job' ? ['spec'] : ['spec', 'jobTemplate', 'spec'], report)
  if (kind === 'CronJob') checkSchedule(valueAt(object, ['spec', 'schedule']), report)
  if (kind === 'CronJob') checkTimeZone(valueAt(object, ['spec', 'timeZone']), report)
}

function checkTimeZone(zone: unknown, report: ReportProblem): void {
  if (typeof zone !== 'string' || (/^[A-Za-z]/.test(zone) && isTimeZone(zone))) return
  report(['spec', 'timeZone'], `is ${quote(zone)}, which is unknown`, 'write a name such as Europe/Berlin, or Etc/UTC')
}

function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** Highest value of a priority class that users may define. */
const maxUserPriority = 1_000_000_000

/** Checks the value and name of a PriorityClass. */
export function checkPriorityClass({ metadata, value }: Entry, report: ReportProblem): void {
  const name = valueAt(metadata, ['name'])
  if (typeof name === 'string' && systemPriorities.has(name)) return
  if (typeof name === 'string' && name.startsWith('system-'))
    report(
      ['metadata', 'name'],
      'begins with system-, which is reserved',
      `write ${name.slice('system-'.length) || 'high'}`,
    )
  if (typeof value === 'number' && value > maxUserPriority)
    report(['value'], `is above ${maxUserPriority}`, `write ${maxUserPriority}, or less`)
}

/** Checks that the selector of a workload selects its own pods. */
function checkSelector(object: Entry, report: ReportProblem): void {
  const selector = valueAt(object, ['spec', 'selector'])
  if (!isRecord(selector)) return
  const wanted = isRecord(selector.matchLabels) ? Object.entries(selector.matchLabels) : []
  const expressions = Array.isArray(selector.matchExpressions) ? selector.matchExpressions : []
  if (wanted.length + expressions.length === 0)
    report(['spec', 'selector'], 'selects nothing', 'add matchLabels with labels of the template')
  if (!isRecord(valueAt(object, ['spec', 'template']))) return
  const labels = valueAt(object, ['spec', 'template', 'metadata', 'labels'])
  for (const [key, value] of wanted) {
    const own = isRecord(labels) ? labels[key] : undefined
    if (own !== value)
      report(
        ['spec', 'selector', 'matchLabels', key],
        own === undefined ? 'is not a label of the template' : `differs from the template, which has ${plain(own)}`,
        `write ${key}: ${plain(value)} in spec.template.metadata.labels`,
      )
  }
}

function checkRollout(object: Entry, report: ReportProblem): void {
  const type = valueAt(object, ['spec', 'strategy', 'type'])
  const rolling = valueAt(object, ['spec', 'strategy', 'rollingUpdate'])
  if (type === 'Recreate' && rolling !== undefined && rolling !== null)
    report(['spec', 'strategy', 'rollingUpdate'], 'is given with the type Recreate', 'remove it')
  if (isRecord(rolling) && /^0%?$/.test(plain(rolling.maxSurge)) && /^0%?$/.test(plain(rolling.maxUnavailable)))
    report(
      ['spec', 'strategy', 'rollingUpdate', 'maxUnavailable'],
      'is 0, as maxSurge is',
      'give one of them more than 0',
    )
  const [ready, deadline] = [
    valueAt(object, ['spec', 'minReadySeconds']),
    valueAt(object, ['spec', 'progressDeadlineSeconds']),
  ]
  if (typeof deadline === 'number' && deadline <= (typeof ready === 'number' ? ready : 0))
    report(['spec', 'progressDeadlineSeconds'], 'is not above minReadySeconds', 'raise it')
}

function checkJob(object: Entry, path: FieldPath, report: ReportProblem): void {
  const spec = valueAt(object, path)
  if (!isRecord(spec)) return
  if (spec.completionMode === 'Indexed' && spec.completions === undefined)
    report([...path, 'completions'], 'is missing for an Indexed job', 'add completions')
  if (spec.backoffLimitPerIndex !== undefined && spec.completionMode !== 'Indexed')
    report([...path, 'backoffLimitPerIndex'], 'is given for a job that is not Indexed', 'write completionMode: Indexed')
  if (spec.selector !== undefined && spec.manualSelector !== true)
    report([...path, 'selector'], 'is made by the API server', 'remove it')
}

/** Fields of a schedule of cron(8) with their ranges. */
const cronFields = [
  ['minute', 0, 59],
  ['hour', 0, 23],
  ['day of the month', 1, 31],
  ['month', 1, 12],
  ['day of the week', 0, 7],
] as const

const cronNames = /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)$/i

function checkSchedule(schedule: unknown, report: ReportProblem): void {
  if (typeof schedule !== 'string') return
  const path = ['spec', 'schedule']
  if (/^(CRON_)?TZ=/.test(schedule)) {
    report(path, 'contains a time zone', 'give it in spec.timeZone')
    return
  }
  if (/^@(yearly|annually|monthly|weekly|daily|midnight|hourly|every \S+)$/.test(schedule)) return
  const parts = schedule.trim().split(/\s+/)
  if (parts.length !== 5) {
    report(
      path,
      `"${schedule}" has ${parts.length} fields, not 5`,
      'write MINUTE HOUR DAY MONTH WEEKDAY, such as "*/5 * * * *"',
    )
    return
  }
  for (const [i, part] of parts.entries()) {
    const [name, first, last] = cronFields[i]!
    const isValid = part.split(',').every((item) => {
      const [range = '', step, ...more] = item.split('/')
      const ends = range.split('-')
      const inRange = (end: string) =>
        cronNames.test(end) || (/^\d{1,2}$/.test(end) && Number(end) >= first && Number(end) <= last)
      return (
        more.length === 0 &&
        (step === undefined || /^[1-9]\d*$/.test(step)) &&
        (range === '*' ||
          range === '?' ||
          (ends.length <= 2 && ends.every(inRange) && !(Number(ends[0]) > Number(ends[1]))))
      )
    })
    const names = i > 2 ? ', names such as jan or sun' : ''
    if (!isValid)
      report(path, `"${part}" is not a ${name}`, `give numbers from ${first} to ${last}${names}, *, or a list`)
  }
}
