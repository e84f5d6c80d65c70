-- expect: returns 2345.67
local t = json.decode(body)
return t.data[1].price
