-- expect: returns 2346.585
local t, sum, n = json.decode(body).data, "0", 0
for _, row in ipairs(t) do sum = u256.add(sum, u256.fixed(row.price, 4)) n = n + 1 end
return u256.text(u256.div(u256.mul(sum, "10"), tostring(n * 10)), 4):gsub("0+$", "")
