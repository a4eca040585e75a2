// SPDX-License-Identifier: Apache-2.0
// hutch top: shows all groups and their current use on the whole screen.
import { holdsMyself, makeActions } from '../../cgroup/actions.ts'
import { type Host, readHost } from '../../host/host.ts'
import { findGroup, readDockerNames } from '../../monitor/docker-name.ts'
import { rates } from '../../monitor/rates.ts'
import { openSampler, type Sampler } from '../../monitor/sampler.ts'
import { commandNames } from '../../options/names.ts'
import { checkTerminal } from '../../ui/terminal/screen.ts'
import { makeTopHistory } from '../../ui/top/history.ts'
import { runLoop } from '../../ui/top/loop.ts'
import { makeState, type State } from '../../ui/top/state.ts'
import type { Command } from '../command.ts'
import type { FlagTable, Parsed } from '../flags.ts'
import { intervalFlag, readInterval } from '../polling.ts'

const flags: FlagTable = { interval: intervalFlag }

export const command: Command = {
  words: '[GROUP]',
  details: 'Without GROUP: all groups. With GROUP: this group and the groups below it. The key ? lists the other keys.',
  flags,
  maxWords: 1,
  main,
}

async function main({ values, rest }: Parsed): Promise<number> {
  const interval = readInterval(values)
  const host = readHost()
  const called = readDockerNames()
  const top = rest[0] === undefined ? '/' : findGroup(host, rest[0], called)
  checkTerminal('top', 'hutch stats prints tables, and hutch stats --json figures for programs')
  const survey = openSampler(host)
  try {
    return await show(survey, makeState(top, called), interval, host)
  } finally {
    survey.close()
  }
}

/** Shows the groups on the screen until a key or a signal ends this. Returns the exit status. */
function show(survey: Sampler, state: State, every: number, host: Host): Promise<number> {
  let before = survey.sample()
  let now = before
  const history = makeTopHistory()
  const takeSample = (full = false) => {
    before = now
    now = survey.sample(full)
    history.add(now, rates(before, now))
    return true
  }
  // take the second sample soon, because rates are computed from two samples
  const source = { shown: () => ({ before, now, history }), tick: () => takeSample(), every, first: 250 }
  return runLoop(state, source, (loop) => ({
    holdsMyself: (path) => holdsMyself(host, path),
    ...makeActions(commandNames({})),
    run(act) {
      act()
        .then(({ said }) => {
          state.message = said
          takeSample(true)
          loop.redraw()
        })
        .catch(loop.fail)
    },
  }))
}
