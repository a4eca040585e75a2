// SPDX-License-Identifier: Apache-2.0
// The built `hutch dashboard` in a hurry: it looks as fast as it can, a second goes by between two looks, and every group of the caller has done something in it.
// Sampler, feed, history, marks, alarms, streams and server are the built file's own.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'

const hurry = 'const setTimeout = (act, ms) => globalThis.setTimeout(act, ms / 1000);\n'

/** What stands for the expression that opens the survey. */
const survey = `(() => {
  const calm = openSampler(host);
  const begun = performance.timeOrigin + performance.now();
  let seconds = 0;
  return {
    close: calm.close,
    sample(full) {
      const groups = new Map();
      seconds++;
      for (const [path, sample] of calm.sample(full).groups) {
        if (path !== '/' && !path.startsWith('/hutch-bench-' + process.ppid)) continue;
        const stalled = (pressure) => pressure && { some: { avg10: 10 * Math.random(), totalUsec: seconds * 10000 * (1 + Math.random()) }, full: pressure.full };
        groups.set(path, {
          ...sample,
          populated: true,
          cpuUsec: seconds * 10000 * (1 + Math.random()),
          periods: seconds * 10,
          throttledPeriods: seconds * 5,
          cpuMax: 0.5,
          memory: Math.floor(1e8 * Math.random()),
          memoryMax: 1e8,
          pids: Math.floor(50 * Math.random()),
          pidsMax: 50,
          oomKills: Math.floor(seconds / 60),
          io: { '8:0': { readBytes: Math.floor(seconds * 1e5 * (1 + Math.random())), writtenBytes: seconds * 1000, reads: seconds, writes: seconds } },
          cpuPressure: stalled(sample.cpuPressure),
          memoryPressure: stalled(sample.memoryPressure),
          ioPressure: stalled(sample.ioPressure)
        });
      }
      return { time: begun + seconds * 1000, groups };
    }
  };
})()`

/** A copy of the command, to be run by node; `remove` deletes it. */
export function makeHurried() {
  const folder = mkdtempSync(`${tmpdir()}/hutch-bench-`)
  cpSync('dist', `${folder}/dist`, { recursive: true, filter: (name) => !/\.cache$|\/types$/.test(name) })
  symlinkSync(`${import.meta.dirname}/../build`, `${folder}/build`)
  const file = `${folder}/dist/cli.cjs`
  const part = `${folder}/dist/cli/cli-node-dashboard.cjs`
  const [before, after] = readFileSync(part, 'utf8').split(/(?<=\bsurvey=)openSampler\(host\)/)
  if (after === undefined) throw new Error(`where the dashboard opens its survey is not found in ${part}`)
  writeFileSync(part, `${before.replace('{', `{${hurry}`)}${survey}${after}`)
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
