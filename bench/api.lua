-- For wrk: requests with the API key of a file, and what came of them as JSON.
-- arguments: the key's file, then GET and a file of paths, which are asked in turn, or POST and the file of a body; each POST has an
-- Idempotency-Key of its own.
local count = 0
local ready = {}
local threads = 0
local mark

function setup(thread)
	thread:set("number", threads)
	threads = threads + 1
end

function init(args)
	local file = assert(io.open(args[1]))
	wrk.headers["Authorization"] = "Bearer " .. file:read("*l")
	file:close()
	wrk.method = args[2]
	file = assert(io.open(args[3]))
	if wrk.method == "GET" then
		for path in file:lines() do
			ready[#ready + 1] = wrk.format(nil, path)
		end
		file:close()
	else
		wrk.body = file:read("*a")
		file:close()
		wrk.headers["Content-Type"] = "application/json"
		mark = string.format("bench-%d-%d-", os.time(), number)
	end
end

function request()
	count = count + 1
	if not mark then
		return ready[(count - 1) % #ready + 1]
	end
	wrk.headers["Idempotency-Key"] = mark .. count
	return wrk.format()
end

function done(summary, latency)
	local e = summary.errors
	print(string.format('{"requests": %d, "seconds": %.3f, "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, "refused": %d, "broken": %d}',
		summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
		e.status, e.connect + e.read + e.write + e.timeout))
end
