"""Responses of the API by minute."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Minute",
            fields=[
                ("started_at", models.DateTimeField(primary_key=True, serialize=False)),
                ("responses", models.PositiveBigIntegerField()),
                ("refused", models.PositiveBigIntegerField()),
                ("failed", models.PositiveBigIntegerField()),
            ],
        ),
    ]
