-- Sends requests for some milliseconds, then lets those under way be answered, and prints the figures as JSON.
-- Cut off in the midst, requests would cost processor time and count for nothing.
-- Arguments: milliseconds, connections, the method, a file of paths (one a line, another one each time), and the body.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long sec; long nsec; } moment;
  int clock_gettime(int clock, moment *found);
  int getpid(void);
  int kill(int pid, int signal);
]]
local found = ffi.new("moment")

local function now()
  ffi.C.clock_gettime(1, found)
  return tonumber(found.sec) * 1000 + tonumber(found.nsec) / 1e6
end

local threads = {}
function setup(thread) table.insert(threads, thread) end

local milliseconds, connections, began, parked = 0, 0, nil, 0
elapsed = 0

function init(args)
  milliseconds, connections = tonumber(args[1]), tonumber(args[2])
  wrk.method = args[3]
  if args[5] then
    wrk.body = args[5]
    wrk.headers["Content-Type"] = "application/json"
  end
  local paths, number, step = {}, 0, 3571
  for path in io.lines(args[4]) do table.insert(paths, path) end
  if #paths > 1 then
    assert(#paths % step ~= 0, "a multiple of the step would leave paths out")
    function request()
      number = (number + step) % #paths  -- comes by each of them before it comes back, since the step is a prime
      return wrk.format(nil, paths[number + 1])
    end
  end
end

-- Called before each request: how long to wait with it; after the last answer wrk is stopped.
function delay()
  began = began or now()
  local since = now() - began
  if since < milliseconds then return 0 end
  parked = parked + 1
  if parked == connections then
    elapsed = since
    ffi.C.kill(ffi.C.getpid(), 2)
  end
  return 3600000
end

function done(summary, latency)
  local errors, broken = summary.errors, ""
  for _, kind in ipairs({"connect", "read", "write", "timeout"}) do
    if errors[kind] > 0 then broken = broken .. kind .. " " .. errors[kind] .. " " end
  end
  io.write(string.format(
    '\n{"requests": %d, "elapsed_ms": %f, "p50_ms": %f, "p99_ms": %f, "refused": %d, "broken": "%s"}\n',
    summary.requests, threads[1]:get("elapsed"), latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status, broken))
end
