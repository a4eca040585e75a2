// SPDX-License-Identifier: Apache-2.0
// Starts, changes and stops the systemd unit of a container, over D-Bus. Called by create, update and delete.
import { writeGroupFile } from '../../cgroup/files.ts'
import type { PlannedGroup } from '../../cgroup/planned-group.ts'
import { effectiveUser } from '../../host/passwd.ts'
import { findInsideProgram } from '../../system/native.ts'
import { spawn } from '../../system/processes.ts'
import { findBuses } from '../../systemd/address.ts'
import { type Answer, type Call, callSystemd } from '../../systemd/bus.ts'
import { explainFailure } from '../../systemd/failure.ts'
import type { DbusValue } from '../../systemd/marshal.ts'
import type { PlannedUnit } from './plan-unit.ts'
import type { UnitProperty } from './unit-properties.ts'

const kind = (): 'system' | 'user' => (effectiveUser() === 0 ? 'system' : 'user')

/** Calls systemd's manager, and waits for the job if there is one. Returns undefined if systemd refuses with one of `ignored`. */
async function call(
  unit: string,
  what: string,
  request: Pick<Call, 'member' | 'signature' | 'args'>,
  waitsForJob: boolean,
  ignored: RegExp = /^$/,
): Promise<Answer | undefined> {
  const explain = (failure: Parameters<typeof explainFailure>[0]) =>
    explainFailure(failure, { what, kind: kind(), unit, own: undefined })
  const manager = { interface: 'org.freedesktop.systemd1.Manager', ...request }
  const answer = await callSystemd(findBuses(kind(), process.env, effectiveUser()), manager, { waitsForJob })
  if (!('kind' in answer)) {
    const result = answer.jobResult ?? 'done'
    if (result !== 'done') throw explain({ kind: 'refused', errorName: `job ${result}`, text: '' })
    return answer
  }
  if (answer.kind === 'refused' && ignored.test(answer.errorName)) return undefined
  throw explain(answer)
}

/**
 * Starts the unit of a container. systemd needs a process for it, which is a waiting one of hutch. The caller creates the
 * container's first process in the unit's group, and then calls the returned function. This function ends the waiting
 * process, and lowers the limit of tasks by one to what was requested.
 *
 * @throws SYSTEMD_UNREACHABLE, SYSTEMD_REFUSED, SYSTEMD_ANSWER_INVALID
 */
export async function startUnit(
  { name, properties, tasks }: PlannedUnit,
  groups: readonly PlannedGroup[],
): Promise<() => Promise<void>> {
  const holder = spawn(findInsideProgram(), ['keep'], { detached: true, stdio: 'ignore', cwd: '/' })
  const ended = new Promise<void>((resolve) => holder.once('exit', () => resolve()))
  const what = 'start the unit of the container'
  const all = [...properties, ['PIDs', ['au', [holder.pid!]]] as UnitProperty]
  const start = {
    member: 'StartTransientUnit',
    signature: 'ssa(sv)a(sa(sv))',
    args: [name, 'fail', all as DbusValue, []],
  }
  try {
    // a failed unit of the same name is still known
    if (!(await call(name, what, start, true, /UnitExists$/))) {
      await resetUnit(name)
      await call(name, what, start, true)
    }
  } catch (error) {
    holder.kill('SIGKILL')
    throw error
  }
  return async () => {
    holder.kill('SIGKILL')
    await ended
    if (tasks === undefined) return
    await setUnitProperties(name, [['TasksMax', ['t', tasks]]])
    // systemd has written its own values of all files again
    for (const { directory, writes } of groups)
      for (const { file, value } of writes) writeGroupFile(directory, file, file === 'pids.max' ? String(tasks) : value)
  }
}

/** Changes properties of a unit until the next boot. @throws SYSTEMD_UNREACHABLE, SYSTEMD_REFUSED */
export async function setUnitProperties(unit: string, properties: readonly UnitProperty[]): Promise<void> {
  if (properties.length === 0) return
  const args: DbusValue[] = [unit, true, properties as unknown as DbusValue]
  await call(
    unit,
    'change the limits of the container',
    { member: 'SetUnitProperties', signature: 'sba(sv)', args },
    false,
  )
}

/** Stops a unit, and forgets that it failed. Ignores a unit that does not exist. @throws SYSTEMD_UNREACHABLE, SYSTEMD_REFUSED */
export async function stopUnit(unit: string): Promise<void> {
  const request = { member: 'StopUnit', signature: 'ss', args: [unit, 'replace'] }
  await call(unit, 'stop the unit of the container', request, true, /NoSuchUnit$/)
  await resetUnit(unit)
}

async function resetUnit(unit: string): Promise<void> {
  const request = { member: 'ResetFailedUnit', signature: 's', args: [unit] }
  await call(unit, 'reset the unit of the container', request, false, /NoSuchUnit$/)
}
