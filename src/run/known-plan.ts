// SPDX-License-Identifier: Apache-2.0
// Keeps plans of options that were used before, with their encoded programs. A later start changes only the name of the
// job's group and the command. Called by launch.ts. Pure, except for what it keeps.
import type { Program } from '../ops/ops.ts'
import { continueProgram, encodeProgram } from '../ops/wire.ts'
import type { Spec } from '../options/spec.ts'
import { compileExec, compilePlan } from '../plan/compile.ts'
import { groupName } from '../plan/groups.ts'
import { makePlan, type Plan, type PlanFacts } from '../plan/plan.ts'
import type { SourceFacts } from '../plan/sandbox-volumes.ts'
import { figurePlaces } from '../verdict/collect-end.ts'

/** A plan with its program. The program of a known plan is compiled only if an error or an event needs its operations. */
export interface PreparedStart {
  plan: Plan
  program: Program
  /** Encodes the program. The bytes are valid until the next program is encoded. */
  encode: () => Uint8Array
}

/** The facts that can change between two starts with the same options. */
export type ChangingFact = 'host' | 'env' | 'absent' | 'sources' | 'share'

/** A plan and its program for a Spec that later starts share. */
export interface KnownPlan {
  facts: PlanFacts
  plan: Plan
  /** The encoded program without its last operation, which executes the command. */
  bytes: Uint8Array
  /** Where the numbers of the job begin in `bytes`, and their length. */
  places: readonly number[]
  digits: number
  figures: NonNullable<Program['places']>
}

/**
 * Returns true if the plan of a Spec depends only on facts that `isCurrent` compares, or that never change in a process.
 * Users, devices, networks and delegated ids are read anew for each start, and so are filters from files.
 */
export function isRepeatable({ root, privileges, ...spec }: Spec): boolean {
  const { group, groups, groupAdd } = privileges
  const ids = [spec.user, group, groups, groupAdd, spec.mapUsers, spec.mapGroups]
  const others = [spec.parent, spec.group, spec.rest, spec.network, spec.names, spec.learn, spec.seccompReport]
  const ownFilter = spec.seccomp === undefined || 'own' in spec.seccomp
  return [...ids, ...others].every((value) => value === undefined) && ownFilter && (root?.devices ?? []).length === 0
}

/** Returns true if a known plan is still right under these facts, for a job with this number. */
export function isCurrent({ facts, digits }: KnownPlan, now: Pick<PlanFacts, ChangingFact>, serial: number): boolean {
  return (
    facts.host === now.host && facts.env === now.env && String(serial).length === digits && hasSameFiles(facts, now)
  )
}

function hasSameFiles(before: Pick<PlanFacts, ChangingFact>, now: Pick<PlanFacts, ChangingFact>): boolean {
  const isSource = ([path, { uid, mode }]: [string, SourceFacts]) => {
    const source = before.sources?.get(path)
    return source?.uid === uid && source.mode === mode
  }
  return (
    before.share?.directory === now.share?.directory &&
    before.share?.quota === now.share?.quota &&
    before.share?.period === now.share?.period &&
    before.absent?.length === now.absent?.length &&
    (now.absent ?? []).every((path, i) => before.absent![i] === path) &&
    before.sources?.size === now.sources?.size &&
    [...(now.sources ?? [])].every(isSource)
  )
}

/**
 * Makes a plan that later starts can use, for job numbers with as many digits as that of `facts`. Two plans, whose numbers differ in
 * each digit, show where the number is. A path of the caller that contains a group's name is therefore not changed.
 */
export function makeKnownPlan(spec: Spec, facts: PlanFacts): KnownPlan {
  const digits = String(facts.serial).length
  const encoded = [1, 2].map((digit) => {
    const plan = makePlan(spec, { ...facts, serial: Number(String(digit).repeat(digits)) })
    const program = compilePlan(plan)
    const bytes = Uint8Array.from(encodeProgram({ ...program, inner: program.inner.slice(0, -1) }))
    return { plan, program, bytes }
  })
  const [{ plan, program, bytes }, other] = encoded as [(typeof encoded)[0], (typeof encoded)[0]]
  const differ = [...bytes.keys()].filter((i) => bytes[i] !== other.bytes[i])
  const places = differ.filter((_, i) => i % digits === 0)
  return { facts, plan, bytes, places, digits, figures: figurePlaces(plan, program) }
}

/** Returns the plan and the program of a start whose Spec differs from that of the known plan only by its command. */
export function repeatPlan(known: KnownPlan, spec: Spec, serial: number): PreparedStart {
  const { facts, bytes, places, figures } = known
  const name = groupName(facts.host, serial)
  const plan: Plan = {
    ...known.plan,
    spec: { ...known.plan.spec, command: spec.command, args: spec.args },
    argv: [spec.command, ...spec.args],
    groups: known.plan.groups.map((group) => ({ ...group, directory: `${group.parent}/${name}` })),
  }
  let compiled: Program | undefined
  const compile = () => {
    compiled ??= compilePlan(plan)
    return compiled
  }
  return {
    plan,
    program: {
      get outer() {
        return compile().outer
      },
      get inner() {
        return compile().inner
      },
      places: figures,
    },
    encode: () => continueProgram(bytes, places, String(serial), [compileExec(plan)]),
  }
}
