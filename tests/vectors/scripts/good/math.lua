-- expect: returns 5 9 -3 true 9223372036854775807
return math.abs(-5) .. " " .. math.max(1, 9, 3) .. " " .. math.min(4, -3) .. " " .. tostring(math.ult(1, -1)) .. " " .. math.maxinteger
