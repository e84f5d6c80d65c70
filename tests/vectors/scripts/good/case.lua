-- expect: returns ABC1 abc1
return ("aBc1"):upper() .. " " .. ("aBc1"):lower()
