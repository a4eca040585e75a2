// SPDX-License-Identifier: Apache-2.0
// Runs the hooks of a container: programs that its configuration names for points of its life. They get the state on stdin.

import { fail, type HutchError } from '../../errors/errors.ts'
import { run } from '../../run/job.ts'
import { spawnSync } from '../../system/processes.ts'
import type { OciConfig } from '../config/read-config.ts'

/** A hook of config.json. */
export type Hook = NonNullable<NonNullable<OciConfig['hooks']>['poststop']>[number]

/** The points of a container's life at which hooks run, as config.json names them. */
type HookPoint = 'prestart' | 'createRuntime' | 'createContainer' | 'startContainer' | 'poststart' | 'poststop'

/** Runs hooks in this process's namespaces, in their order. The first failure ends it. @throws HOOK_FAILED */
export function runHooks(point: HookPoint, hooks: readonly Hook[], state: string): void {
  for (const [index, hook] of hooks.entries()) {
    const { status, signal, error, stdout, stderr } = spawnSync(hook.path, (hook.args ?? []).slice(1), {
      ...(hook.args?.[0] !== undefined && { argv0: hook.args[0] }),
      env: environmentOf(hook),
      input: state,
      encoding: 'utf8',
      ...(hook.timeout !== undefined && { timeout: hook.timeout * 1000, killSignal: 'SIGKILL' }),
    })
    const { code } = (error ?? {}) as NodeJS.ErrnoException
    // a hook need not read its input
    if (error && code !== 'EPIPE' && code !== 'ETIMEDOUT') throw failed(point, index, hook, code ?? error.message, '')
    if (code === 'ETIMEDOUT' || (signal === 'SIGKILL' && hook.timeout !== undefined))
      throw failed(point, index, hook, `not finished after ${hook.timeout} s`, '')
    const ended = signal ? `ended by ${signal}` : status === 0 ? undefined : `exit status ${status}`
    if (ended) throw failed(point, index, hook, ended, `${stdout}${stderr}`)
  }
}

/**
 * Runs hooks in the namespaces of a container's first process. Their programs are looked up in its mount namespace.
 *
 * @throws HOOK_FAILED
 */
export async function runHooksInside(
  point: HookPoint,
  hooks: readonly Hook[],
  state: string,
  join: { [kind: string]: string },
): Promise<void> {
  for (const [index, hook] of hooks.entries()) {
    const { timeout } = hook
    const { exitCode, signal, reason, stdout, stderr } = await run(hook.path, (hook.args ?? []).slice(1), {
      join,
      isolate: 'none',
      limits: 'none',
      newPrivileges: true,
      env: environmentOf(hook),
      extendEnv: false,
      input: state,
      ...(timeout !== undefined && { timeout: timeout * 1000, killAfter: 0 }),
    })
    if (exitCode === 0) continue
    const why =
      reason === 'timeout'
        ? `not finished after ${timeout} s`
        : signal
          ? `ended by ${signal}`
          : `exit status ${exitCode}`
    throw failed(point, index, hook, why, `${stdout}${stderr}`)
  }
}

/** A hook's environment has only the variables that its configuration names. */
function environmentOf({ env }: Hook): { [name: string]: string } {
  return Object.fromEntries(
    (env ?? []).map((entry) => {
      const at = entry.indexOf('=')
      return [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}

function failed(point: HookPoint, index: number, hook: Hook, why: string, output: string): HutchError {
  return fail('HOOK_FAILED', { point, index, path: hook.path, why, output: output.trim() })
}
