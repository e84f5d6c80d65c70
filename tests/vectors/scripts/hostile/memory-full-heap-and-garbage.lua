-- expect: limit
local keep, n = {}, 0
while n < 7000 do n = n + 1 keep[n] = ("k"):rep(1000) .. n end
while true do local x = ("g"):rep(900) .. n n = n + 1 end
