-- expect: returns ethereum usd
return arguments[1] .. " " .. arguments[2]
