"""Changes of users and keys belong to no organization; a brief lock, and old code reads and writes on."""

from django.db import migrations, models
from django.db.models.deletion import CASCADE


class Migration(migrations.Migration):
    dependencies = [("activity", "0003_index_by_age")]

    operations = [
        migrations.AlterField(
            model_name="activitylog",
            name="organization",
            field=models.ForeignKey(null=True, on_delete=CASCADE, related_name="+", to="accounts.organization"),
        ),
    ]
