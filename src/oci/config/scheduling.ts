// SPDX-License-Identifier: Apache-2.0
// Converts the properties of config.json about processors and memory: scheduler, affinity, memory policy, personality.
// Pure.
import type { ContainerSpec } from '../../options/container-spec.ts'
import { memoryFlags, memoryModes, type OciLinux, personalityDomains } from './linux-table.ts'
import { parseNumberList } from './number-list.ts'
import { type OciProcess, schedulerFlags, schedulerPolicies } from './process-table.ts'
import { refuseProperty } from './shape.ts'

/** Converts a scheduler. @throws OCI_CONFIG_INVALID */
export function toScheduler(
  scheduler: NonNullable<OciProcess['scheduler']>,
  at: string,
): NonNullable<ContainerSpec['schedulerAttributes']> {
  const { policy, nice = 0, priority = 0, flags = [], runtime = 0n, deadline = 0n, period = 0n } = scheduler
  if (policy === 'SCHED_ISO')
    throw refuseProperty(`${at}.policy`, policy, 'Linux reserves it, and has no such policy', 'another policy')
  const isRealtime = policy === 'SCHED_FIFO' || policy === 'SCHED_RR'
  if (priority !== 0 && !isRealtime)
    throw refuseProperty(
      `${at}.priority`,
      priority,
      'scheduler.priority can only be specified for SchedFIFO or SchedRR policy',
      '0, or another policy',
    )
  const times = { runtime, deadline, period }
  for (const [name, time] of Object.entries(times)) {
    if (time !== 0n && policy !== 'SCHED_DEADLINE')
      throw refuseProperty(
        `${at}.${name}`,
        time,
        'scheduler runtime/deadline/period can only be specified for SchedDeadline policy',
        '0, or SCHED_DEADLINE',
      )
    if (time > Number.MAX_SAFE_INTEGER)
      throw refuseProperty(`${at}.${name}`, time, 'out of range', `nanoseconds up to ${Number.MAX_SAFE_INTEGER}`)
  }
  return {
    policy: schedulerPolicies[policy],
    flags: flags.reduce((all, flag) => all | schedulerFlags[flag], 0),
    nice,
    priority,
    runtime: Number(runtime),
    deadline: Number(deadline),
    period: Number(period),
  }
}

/** Converts the processors of a process that `exec` starts. @throws OCI_CONFIG_INVALID */
export function toAffinity(
  affinity: NonNullable<OciProcess['execCPUAffinity']>,
  at: string,
): NonNullable<ContainerSpec['affinity']> {
  const read = (name: 'initial' | 'final') => {
    const text = affinity[name] ?? ''
    const numbers = parseNumberList(text)
    if (!numbers) throw refuseProperty(`${at}.${name}`, text, 'not a list of processors', 'a list such as 0-3,7')
    return numbers.length > 0 ? { [name]: numbers } : {}
  }
  return { ...read('initial'), ...read('final') }
}

/** Converts a memory policy. @throws OCI_CONFIG_INVALID */
export function toMemoryPolicy(
  { mode, nodes: text = '', flags = [] }: NonNullable<OciLinux['memoryPolicy']>,
  at = 'linux.memoryPolicy',
): NonNullable<ContainerSpec['memoryPolicy']> {
  const nodes = parseNumberList(text)
  if (!nodes) throw refuseProperty(`${at}.nodes`, text, 'not a list of memory nodes', 'a list such as 0-3,7')
  const takesNone = mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL'
  if (takesNone && (nodes.length > 0 || flags.length > 0))
    throw refuseProperty(at, mode, 'this mode has neither nodes nor flags', 'the mode alone')
  if (!takesNone && mode !== 'MPOL_PREFERRED' && nodes.length === 0)
    throw refuseProperty(`${at}.nodes`, text, `${mode} needs nodes`, 'a list such as 0-3,7')
  if (flags.includes('MPOL_F_RELATIVE_NODES') && flags.includes('MPOL_F_STATIC_NODES'))
    throw refuseProperty(`${at}.flags`, flags, 'these flags exclude each other', 'one of them')
  return { mode: flags.reduce<number>((all, flag) => all | memoryFlags[flag], memoryModes[mode]), nodes }
}

/** Converts an execution domain. @throws OCI_CONFIG_INVALID */
export function toPersonality({ domain, flags = [] }: NonNullable<OciLinux['personality']>): number {
  if (flags.length > 0)
    throw refuseProperty('linux.personality.flags', flags, 'the specification defines no flags', 'an empty list')
  return personalityDomains[domain]
}
