// SPDX-License-Identifier: Apache-2.0
// Stores the bytecode of parts of the CLI beside them, for src/cli/node/loader.ts. Used by scripts/build/cli.js in two ways:
//   node store-bytecode.cjs FILE…                          without the functions in them
//   node --require store-bytecode.cjs dist/cli.cjs ARG…    with each function that this command calls
const { readFileSync, writeFileSync } = require('node:fs')
const vm = require('node:vm')

const store = (script, file) => writeFileSync(`${file}.cache`, script.createCachedData())

if (require.main === module)
  for (const filename of process.argv.slice(2))
    store(new vm.Script(readFileSync(filename, 'latin1'), { filename }), filename)
else {
  const scripts = []
  vm.Script = class extends vm.Script {
    constructor(source, options) {
      super(source, options)
      scripts.push([this, options.filename])
    }
  }
  process.on('exit', () => {
    for (const [script, file] of scripts) store(script, file)
  })
}
